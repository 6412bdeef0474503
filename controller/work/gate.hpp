// The queue in front of a RateBudget. Nobody blocks here: who finds no free slot leaves a key, and
// is woken to come back, with a slot set aside, when it is their turn.
#pragma once

#include "rt/event.hpp"
#include "work/rate_budget.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace oco::work {

// Lower goes first.
enum class Priority { credential, settings, background };

class Gate {
  public:
    using Wake = std::function<void()>;

    Gate(rt::Runtime& runtime, int requests_per_minute)
        : runtime_(runtime), budget_(requests_per_minute), changed_(runtime) {}

    // A slot, or nullopt: then `wake` is called once when one is set aside for `key`.
    std::optional<RateBudget::Slot> enter(const std::string& key, Priority priority, Wake wake);
    // `key` needs no slot any more.
    void leave(const std::string& key);

    void answered(RateBudget::Slot slot);
    void unanswered(RateBudget::Slot slot, rt::TimePoint deadline);
    void unused(RateBudget::Slot slot);
    // 429: pauses for `retry_after`, or for a growing, jittered time.
    void rate_limited(std::optional<std::chrono::seconds> retry_after);
    void accepted(); // an answer other than 429

    void set_limit(int requests_per_minute);

    // Once, before the first enter(): see RateBudget.
    void inherit(const std::vector<rt::TimePoint>& answered, rt::TimePoint reserved_until) {
        budget_.inherit(answered, reserved_until);
    }

    [[nodiscard]] int remaining() { return budget_.free(runtime_.now()); }

    // When the next slot may come free: an estimate for people.
    [[nodiscard]] rt::TimePoint next_slot() { return budget_.next_change(runtime_.now()); }

    // Hands out slots as they come free, until cancelled.
    asio::awaitable<void> run();

  private:
    // By priority, then by arrival.
    using Order = std::pair<Priority, std::uint64_t>;

    void hand_out();
    // Slots that are neither taken nor set aside; who did not come for one in time has lost it.
    [[nodiscard]] int unreserved();

    rt::Runtime& runtime_;
    RateBudget budget_;
    std::map<Order, std::string> order_;
    std::map<std::string, std::pair<Order, Wake>> waiting_;
    std::map<std::string, rt::TimePoint> set_aside_; // key -> until when
    rt::Event changed_;
    std::uint64_t arrivals_ = 0;
    int episodes_ = 0; // 429s in a row
};

} // namespace oco::work
