#include "work/rate_budget.hpp"

#include "base/mutation.hpp"

#include <algorithm>
#include <cassert>

namespace oco::work {

void RateBudget::expire(TimePoint now) {
    busy_until_.erase(busy_until_.begin(), busy_until_.upper_bound(now));
}

int RateBudget::free(TimePoint now) {
    expire(now);
    if (now < paused_until_)
        return 0;
    if (probing_)
        return in_flight_.empty() ? 1 : 0;
    const auto used = static_cast<int>(in_flight_.size() + busy_until_.size());
    return std::max(0, limit_ - used);
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
    if (busy_until_.empty())
        return TimePoint::max();
    return *busy_until_.begin();
}

} // namespace oco::work
