// How many requests may be sent, and when: a sliding window that the limit holds for at the server
// too, at whatever point of their flight it counts the requests. Pure: time comes in.
#pragma once

#include "rt/runtime.hpp"
#include "work/request_class.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace oco::work {

using rt::Duration;
using rt::TimePoint;

class RateBudget {
  public:
    // A slot is in use from the send until this long after the response...
    static constexpr Duration window = std::chrono::milliseconds(60'250);
    // ...or, without a response, until this long after the request's deadline.
    static constexpr Duration unanswered_window = std::chrono::seconds(90);

    using Slot = std::uint64_t;

    explicit RateBudget(int requests_per_minute) : configured_(requests_per_minute) {}

    // An earlier process may have used part of the budget: `busy_until` are the ends of the slots
    // that it is known to have used. What else it sent is not known, so until `reserved_until` a
    // tenth of the limit (at least 1, if the limit is more than 1) stays unused, in addition to
    // what is left to rotations.
    void inherit(const std::vector<TimePoint>& busy_until, TimePoint reserved_until);

    // Nobody will say any more what became of requests in flight.
    void abandon(TimePoint now);

    void set_limit(int requests_per_minute) { configured_ = requests_per_minute; }

    [[nodiscard]] int configured() const { return configured_; }

    // What holds at `now`: the configured limit, or less after a 429.
    [[nodiscard]] int limit(TimePoint now) const;

    // Slots free at `now`; 0 while paused.
    [[nodiscard]] int free(TimePoint now);
    // Whether a request of `request_class` may be sent at `now`.
    [[nodiscard]] bool ready(RequestClass request_class, TimePoint now);
    // The same, ignoring pace and reserve: for what has waited longest.
    [[nodiscard]] bool ready(TimePoint now);
    // Only when ready. The slot must be answered, refused, unanswered or unused later.
    Slot take(RequestClass request_class, TimePoint now);

    void answered(Slot slot, TimePoint now);
    void unanswered(Slot slot, TimePoint deadline);
    // Nothing was sent after all.
    void unused(Slot slot);

    // The server returned 429. True: this is news, and a pause has to follow. False: the request
    // was already in flight when another was refused.
    //
    // An episode begins: the limit falls to nine tenths, and rises again by a sixtieth of the
    // configured limit (at least 1) a minute. Nothing is sent before the pause is over, then one
    // request alone; the episode ends when that is answered otherwise. While the limit is lowered,
    // requests follow each other evenly, so that the next 429 is met by one and not by many.
    //
    // Where most of the limit was used here, the number used is about what the server leaves to
    // this client: for a while there are not more. (A refusal before says nothing of the kind.)
    bool refused(Slot slot, TimePoint now);
    void pause(TimePoint until);

    // After a 429: when the server may have room at the earliest. Where most of the limit was used
    // here, that is when the first of those requests leaves its window; else `now`.
    [[nodiscard]] TimePoint room_from(TimePoint now) const;

    // 429s in a row in the current episode; 0: there is none.
    [[nodiscard]] int refusals() const { return refusals_; }

    [[nodiscard]] TimePoint paused_until() const { return paused_until_; }

    // The next time, after `now`, at which ready() may become true without an answer;
    // TimePoint::max(): there is none.
    [[nodiscard]] TimePoint next_change(TimePoint now);

    // About when a request is sent that has `ahead` others before it: for the status.
    [[nodiscard]] TimePoint estimate(std::size_t ahead, RequestClass request_class, TimePoint now);

    // Whether the budget holds nothing that must be remembered.
    [[nodiscard]] bool unspent(TimePoint now);

  private:
    struct Lowered {
        double to;
        TimePoint at;
    };

    struct Ceiling {
        int slots = 0;
        TimePoint until{};
    };

    void expire(TimePoint now);
    [[nodiscard]] int used() const;
    [[nodiscard]] int tenth(TimePoint now) const;
    [[nodiscard]] int starting_reserve(TimePoint now) const;
    [[nodiscard]] int kept_back(RequestClass request_class, TimePoint now) const;
    [[nodiscard]] bool has_slot(int kept_back, TimePoint now);

    [[nodiscard]] bool mostly_ours(TimePoint now) const;

    [[nodiscard]] bool lowered(TimePoint now) const { return limit(now) < configured_; }

    // Between requests that are paced for their class, and between all while the limit is lowered.
    [[nodiscard]] Duration class_pace(TimePoint now) const;
    [[nodiscard]] Duration lowered_pace(TimePoint now) const;

    int configured_;
    std::optional<Lowered> lowered_;
    Ceiling ceiling_;
    Slot next_slot_ = 1;
    std::set<Slot> in_flight_;
    std::multiset<TimePoint> busy_until_;
    TimePoint next_paced_{};
    TimePoint next_of_all_{};
    TimePoint paused_until_{};
    TimePoint reserved_until_{};
    int refusals_ = 0;
    std::optional<Slot> probe_; // of the current episode
};

} // namespace oco::work
