#include "work/rate_budget.hpp"

#include "base/mutation.hpp"

#include <algorithm>
#include <cassert>

namespace oco::work {

void RateBudget::expire(TimePoint now) {
    busy_until_.erase(busy_until_.begin(), busy_until_.upper_bound(now));
}

void RateBudget::inherit(const std::vector<TimePoint>& answered, TimePoint reserved_until) {
    for (const TimePoint time : answered)
        busy_until_.insert(time + window);
    reserved_until_ = reserved_until;
}

int RateBudget::reserve(TimePoint now) const {
    return limit_ > 1 && now < reserved_until_ ? std::max(1, limit_ / 10) : 0;
}

int RateBudget::free(TimePoint now) {
    expire(now);
    if (now < paused_until_)
        return 0;
    const auto used = static_cast<int>(in_flight_.size() + busy_until_.size());
    const int left = std::max(0, limit_ - used - reserve(now));
    if (probing_)
        return in_flight_.empty() ? std::min(1, left) : 0;
    return left;
}

RateBudget::Slot RateBudget::take(TimePoint now) {
    [[maybe_unused]] const int available = free(now);
    assert(available > 0);
    in_flight_.insert(next_slot_);
    return next_slot_++;
}

void RateBudget::answered(Slot slot, TimePoint now) {
    if (in_flight_.erase(slot) != 0 && !mutated("answers-cost-nothing"))
        busy_until_.insert(now + window);
}

void RateBudget::unanswered(Slot slot, TimePoint deadline) {
    if (in_flight_.erase(slot) != 0)
        busy_until_.insert(deadline + unanswered_window);
}

void RateBudget::pause(TimePoint until) {
    paused_until_ = std::max(paused_until_, until);
    probing_ = true;
}

TimePoint RateBudget::next_change(TimePoint now) {
    expire(now);
    if (now < paused_until_)
        return paused_until_;
    TimePoint next = busy_until_.empty() ? TimePoint::max() : *busy_until_.begin();
    if (now < reserved_until_)
        next = std::min(next, reserved_until_);
    return next;
}

} // namespace oco::work
