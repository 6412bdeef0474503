// How often one connection may be pushed to, so that a Secret that changes all the time does not
// spend the budget of all. Pure: time comes in.
#pragma once

#include "api/omni_connection.hpp"
#include "rt/runtime.hpp"

#include <algorithm>
#include <map>

namespace oco::reconcile {

class PushPace {
  public:
    static constexpr int burst = 3;
    static constexpr rt::Duration interval = std::chrono::seconds(5);

    // When the next push may be sent; in the past: now.
    [[nodiscard]] rt::TimePoint next(const api::Target& target) const {
        const auto known = full_at_.find(target);
        return known == full_at_.end() ? rt::TimePoint::min()
                                       : known->second - (burst - 1) * interval;
    }

    void pushed(const api::Target& target, rt::TimePoint now) {
        auto& full_at = full_at_[target];
        full_at = std::max(full_at, now) + interval;
        forget_idle(now);
    }

    // A process before this one pushed last at `last`; how often before is not known.
    void assume_spent(const api::Target& target, rt::TimePoint last) {
        auto& full_at = full_at_[target];
        full_at = std::max(full_at, last + burst * interval);
    }

  private:
    // Each 64 pushes, so that it costs nothing.
    void forget_idle(rt::TimePoint now) {
        if (++pushes_ % 64 == 0)
            std::erase_if(full_at_, [&](const auto& entry) { return entry.second <= now; });
    }

    // When the whole burst is allowed again.
    std::map<api::Target, rt::TimePoint> full_at_;
    unsigned pushes_ = 0;
};

} // namespace oco::reconcile
