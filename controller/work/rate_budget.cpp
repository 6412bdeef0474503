#include "work/rate_budget.hpp"

#include "base/mutation.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <iterator>

namespace oco::work {
namespace {

constexpr double decrease = 0.9;
constexpr Duration minute = std::chrono::minutes(1);
// How long a ceiling holds. Longer than the window: what filled the server's is gone by then.
constexpr Duration ceiling_lasts = std::chrono::seconds(90);

Duration share_of_minute(double requests) {
    return Duration(static_cast<Duration::rep>(static_cast<double>(minute.count()) / requests));
}

} // namespace

void RateBudget::expire(TimePoint now) {
    busy_until_.erase(busy_until_.begin(), busy_until_.upper_bound(now));
}

void RateBudget::inherit(const std::vector<TimePoint>& busy_until, TimePoint reserved_until) {
    busy_until_.insert(busy_until.begin(), busy_until.end());
    reserved_until_ = reserved_until;
}

void RateBudget::abandon(TimePoint now) {
    for (const Slot slot : std::set(in_flight_))
        unanswered(slot, now);
}

int RateBudget::limit(TimePoint now) const {
    if (!lowered_)
        return configured_;
    const double minutes =
        std::chrono::duration<double, std::ratio<60>>(now - lowered_->at).count();
    const double risen = minutes * std::max(1.0, configured_ / 60.0);
    return std::min(configured_, static_cast<int>(lowered_->to + risen));
}

int RateBudget::used() const {
    return static_cast<int>(in_flight_.size() + busy_until_.size());
}

int RateBudget::tenth(TimePoint now) const {
    const int all = limit(now);
    return all > 1 ? std::max(1, all / 10) : 0;
}

int RateBudget::starting_reserve(TimePoint now) const {
    return now < reserved_until_ ? tenth(now) : 0;
}

// A lone rotation must not wait, in the first minute either; but of two slots one is for the rest.
int RateBudget::kept_back(RequestClass request_class, TimePoint now) const {
    const int start = starting_reserve(now);
    return traits(request_class).reserve ? std::min(start + tenth(now), limit(now) - 1) : start;
}

Duration RateBudget::class_pace(TimePoint now) const {
    return share_of_minute(limit(now) - tenth(now));
}

Duration RateBudget::lowered_pace(TimePoint now) const {
    return share_of_minute(limit(now));
}

int RateBudget::free(TimePoint now) {
    expire(now);
    return now < paused_until_ ? 0 : std::max(0, limit(now) - used() - starting_reserve(now));
}

bool RateBudget::has_slot(int kept_back, TimePoint now) {
    expire(now);
    // As many as are answered in two seconds, so that a server that hangs holds up only these.
    const auto most_in_flight = static_cast<std::size_t>(std::clamp(limit(now) / 30, 16, 64));
    const bool held = now < paused_until_ || (refusals_ > 0 && probe_);
    const int slots = now < ceiling_.until ? std::min(ceiling_.slots, limit(now)) : limit(now);
    return !held && in_flight_.size() < most_in_flight && slots - used() - kept_back > 0;
}

bool RateBudget::ready(TimePoint now) {
    return has_slot(starting_reserve(now), now) && (!lowered(now) || now >= next_of_all_);
}

bool RateBudget::ready(RequestClass request_class, TimePoint now) {
    if (!ready(now))
        return false;
    const RequestClassTraits its = traits(request_class);
    return has_slot(kept_back(request_class, now), now) && (!its.paced || now >= next_paced_);
}

RateBudget::Slot RateBudget::take(RequestClass request_class, TimePoint now) {
    assert(ready(now));
    in_flight_.insert(next_slot_);
    if (traits(request_class).paced)
        next_paced_ = now + class_pace(now);
    if (lowered(now))
        next_of_all_ = now + lowered_pace(now);
    if (refusals_ > 0)
        probe_ = next_slot_;
    return next_slot_++;
}

void RateBudget::answered(Slot slot, TimePoint now) {
    if (in_flight_.erase(slot) != 0 && !mutated("answers-cost-nothing"))
        busy_until_.insert(now + window);
    if (probe_ == slot) {
        probe_.reset();
        refusals_ = 0;
    }
}

void RateBudget::unanswered(Slot slot, TimePoint deadline) {
    if (in_flight_.erase(slot) != 0)
        busy_until_.insert(deadline + unanswered_window);
    if (probe_ == slot)
        probe_.reset();
}

void RateBudget::unused(Slot slot) {
    in_flight_.erase(slot);
    if (probe_ == slot)
        probe_.reset();
}

bool RateBudget::refused(Slot slot, TimePoint now) {
    if (in_flight_.erase(slot) != 0)
        busy_until_.insert(now + window);
    if (refusals_ > 0 && probe_ != slot)
        return false;
    if (mostly_ours(now))
        ceiling_ = {.slots = used() - 1, .until = now + ceiling_lasts};
    if (refusals_ == 0)
        lowered_ = {.to = std::max(1.0, limit(now) * decrease), .at = now};
    ++refusals_;
    probe_.reset();
    return true;
}

bool RateBudget::mostly_ours(TimePoint now) const {
    return used() > limit(now) / 2;
}

TimePoint RateBudget::room_from(TimePoint now) const {
    return mostly_ours(now) && !busy_until_.empty() ? *busy_until_.begin() : now;
}

void RateBudget::pause(TimePoint until) {
    paused_until_ = std::max(paused_until_, until);
}

TimePoint RateBudget::next_change(TimePoint now) {
    expire(now);
    TimePoint next = TimePoint::max();
    const auto consider = [&](TimePoint time) {
        if (time > now)
            next = std::min(next, time);
    };
    if (!busy_until_.empty())
        consider(*busy_until_.begin());
    for (const TimePoint time :
         {paused_until_, ceiling_.until, reserved_until_, next_paced_, next_of_all_})
        consider(time);
    if (lowered(now)) // it rises
        consider(now + std::chrono::seconds(1));
    return next;
}

TimePoint RateBudget::estimate(std::size_t ahead, RequestClass request_class, TimePoint now) {
    expire(now);
    const RequestClassTraits its = traits(request_class);
    const auto all = static_cast<std::size_t>(std::max(limit(now), 1));
    const TimePoint earliest = std::max(now, paused_until_);
    const std::size_t place = ahead + static_cast<std::size_t>(kept_back(request_class, now));
    const std::size_t turn = place / all;
    // When the slot of this place comes free: the idle ones first, then those that wait for the end
    // of their window, then those in flight.
    std::size_t index = place % all;
    const std::size_t idle = all - std::min(all, static_cast<std::size_t>(used()));
    TimePoint when = earliest;
    if (index >= idle) {
        index -= idle;
        when = index < busy_until_.size()
                   ? std::max(earliest,
                              *std::next(busy_until_.begin(), static_cast<std::ptrdiff_t>(index)))
                   : earliest + window;
    }
    when += static_cast<Duration::rep>(turn) * window;
    if (its.paced)
        when = std::max(when, std::max(earliest, next_paced_) +
                                  static_cast<Duration::rep>(ahead) * class_pace(now));
    return when;
}

bool RateBudget::unspent(TimePoint now) {
    expire(now);
    return used() == 0 && refusals_ == 0 && now >= paused_until_;
}

} // namespace oco::work
