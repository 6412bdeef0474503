#include "traffic.hpp"

#include <algorithm>

namespace oco::sim {

using rt::Duration;
using rt::TimePoint;

std::size_t Traffic::add(Received received) {
    received_.push_back(std::move(received));
    return received_.size() - 1;
}

void Traffic::answered(std::size_t place, int status, TimePoint when) {
    received_[place].status = status;
    received_[place].answered = when;
}

std::vector<TimePoint> Traffic::times(const Which& which) const {
    std::vector<TimePoint> out;
    for (const auto& one : received_)
        if (which(one))
            out.push_back(one.time);
    return out;
}

std::size_t Traffic::count(const Which& which) const {
    return static_cast<std::size_t>(std::ranges::count_if(received_, which));
}

const Received* Traffic::first(const Which& which) const {
    const auto it = std::ranges::find_if(received_, which);
    return it == received_.end() ? nullptr : &*it;
}

std::size_t Traffic::most_at_once(const Which& which, Duration patience) const {
    std::vector<std::pair<TimePoint, int>> changes; // an end sorts before a beginning
    for (const auto& one : received_)
        if (which(one)) {
            changes.emplace_back(one.time, 1);
            changes.emplace_back(one.answered.value_or(one.time + patience), -1);
        }
    std::ranges::sort(changes);
    int now = 0;
    int most = 0;
    for (const auto& [time, change] : changes)
        most = std::max(most, now += change);
    return static_cast<std::size_t>(most);
}

namespace requests {

bool any(const Received& /*received*/) {
    return true;
}

bool pushes(const Received& received) {
    return received.kind == RequestKind::push;
}

bool lists(const Received& received) {
    return received.kind == RequestKind::list;
}

bool refused(const Received& received) {
    return received.status == 429;
}

Traffic::Which at(TimePoint from, TimePoint until, Traffic::Which which) {
    return [=, which = std::move(which)](const Received& one) {
        return one.time >= from && one.time < until && which(one);
    };
}

} // namespace requests

std::size_t largest_window(const std::vector<TimePoint>& times, Duration window) {
    std::size_t most = 0;
    std::size_t first = 0;
    for (std::size_t last = 0; last < times.size(); ++last) {
        while (times[last] - times[first] >= window)
            ++first;
        most = std::max(most, last - first + 1);
    }
    return most;
}

double least_used(const std::vector<TimePoint>& times, std::size_t limit) {
    constexpr std::chrono::duration<double> minute = std::chrono::minutes(1);
    if (times.size() <= limit)
        return 0;
    double least = 1;
    for (std::size_t i = limit; i < times.size(); ++i)
        least =
            std::min(least, minute / std::chrono::duration<double>(times[i] - times[i - limit]));
    return least;
}

Duration least_gap(const std::vector<TimePoint>& times) {
    Duration least = Duration::max();
    for (std::size_t i = 1; i < times.size(); ++i)
        least = std::min(least, times[i] - times[i - 1]);
    return least;
}

} // namespace oco::sim
