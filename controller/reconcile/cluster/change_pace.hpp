// How often changes of one Secret lead to work, so that tools that rewrite it all the time do not
// spend the API server's time for all. Pure: time comes in.
#pragma once

#include "kube/object.hpp"
#include "rt/runtime.hpp"

#include <algorithm>
#include <map>

namespace oco::reconcile {

class ChangePace {
  public:
    static constexpr int burst = 10;
    static constexpr rt::Duration interval = std::chrono::seconds(5);

    // When a change that has come at `now` is to be looked at. Those that come before then are seen
    // by the same look.
    rt::TimePoint next(const kube::ObjectKey& secret, rt::TimePoint now) {
        if (known_.size() >= swept_at)
            std::erase_if(known_, [now](const auto& entry) { return entry.second.full_at <= now; });
        Known& known = known_[secret];
        if (known.look_at > now)
            return known.look_at;
        known.look_at = std::max(now, known.full_at - (burst - 1) * interval);
        known.full_at = std::max(known.full_at, now) + interval;
        return known.look_at;
    }

  private:
    static constexpr std::size_t swept_at = 1024;

    struct Known {
        rt::TimePoint look_at{}; // the last look, or the next
        rt::TimePoint full_at{}; // when the whole burst is allowed again
    };

    std::map<kube::ObjectKey, Known> known_;
};

} // namespace oco::reconcile
