// How many requests may be sent, and when: a sliding window that the server, too, would count as
// kept, whenever within their flight it counts the requests. Pure: time comes in.
#pragma once

#include "rt/runtime.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace oco::work {

using rt::Duration;
using rt::TimePoint;

class RateBudget {
  public:
    // A slot is in use from the send until this long after the answer...
    static constexpr Duration window = std::chrono::milliseconds(60'250);
    // ...or, when no answer came, until this long after the request's deadline.
    static constexpr Duration unanswered_window = std::chrono::seconds(90);

    using Slot = std::uint64_t;

    explicit RateBudget(int requests_per_minute) : limit_(requests_per_minute) {}

    // A process before this one may have spent part of the budget: `answered` are the times at
    // which its requests are known to have been answered. Of what it did beside them nothing is
    // known, so that until `reserved_until` a tenth of the limit (at least 1, where the limit is
    // more) stays unused.
    void inherit(const std::vector<TimePoint>& answered, TimePoint reserved_until);

    void set_limit(int requests_per_minute) { limit_ = requests_per_minute; }

    [[nodiscard]] int limit() const { return limit_; }

    // Slots free at `now`; 0 while paused.
    [[nodiscard]] int free(TimePoint now);
    // Only when free(now) > 0. The request must be answered or given up later.
    Slot take(TimePoint now);
    void answered(Slot slot, TimePoint now);
    void unanswered(Slot slot, TimePoint deadline);

    // Nothing was sent after all.
    void unused(Slot slot) { in_flight_.erase(slot); }

    // The server said 429: nothing is sent before `until`, then one request alone, and all again
    // once an answer other than 429 has come.
    void pause(TimePoint until);

    void resume() { probing_ = false; }

    [[nodiscard]] TimePoint paused_until() const { return paused_until_; }

    // When free() can rise next; TimePoint::max() when only an answer can make it.
    [[nodiscard]] TimePoint next_change(TimePoint now);

  private:
    void expire(TimePoint now);
    [[nodiscard]] int reserve(TimePoint now) const;

    int limit_;
    Slot next_slot_ = 1;
    std::set<Slot> in_flight_;
    std::multiset<TimePoint> busy_until_;
    TimePoint paused_until_{};
    TimePoint reserved_until_{};
    bool probing_ = false;
};

} // namespace oco::work
