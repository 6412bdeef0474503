// Decides when a request may be sent, given Omni's limits and failures: the budget, the fair queue
// of what waits for it, and the circuit breaker. Nothing blocks here: a caller that finds no free
// slot leaves a key, and is woken, with a slot set aside, when it is the key's turn.
#pragma once

#include "rt/event.hpp"
#include "work/circuit_breaker.hpp"
#include "work/fair_queue.hpp"
#include "work/rate_budget.hpp"

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

namespace oco::work {

// Permission to send one request. Must be passed to finish() or to give_back().
struct Grant {
    RateBudget::Slot slot = 0;
    std::string key;
    RequestClass request_class = RequestClass::settings;
    rt::Duration waited{};
    bool probe = false; // of the circuit breaker
};

// The result of a request.
enum class RequestResult {
    answered,     // by Omni
    failed,       // answered, but with a failure such as 5xx
    rate_limited, // 429
    unanswered,
    abandoned, // given up on our side: outcome unknown
    unsent,    // no connection
};

class RequestScheduler {
  public:
    using Wake = std::function<void()>;

    // `breaker_changed` is called when the circuit breaker has opened or closed.
    RequestScheduler(rt::Runtime& runtime, int requests_per_minute,
                     std::function<void()> breaker_changed)
        : runtime_(runtime), budget_(requests_per_minute),
          breaker_changed_(std::move(breaker_changed)), changed_(runtime) {}

    // A grant, or nullopt: then `wake` is called once when one is set aside for the key. A key
    // waits once, with its latest request, and keeps its place in the line.
    std::optional<Grant> acquire(Request request, Wake wake);
    // `key` needs no slot any more.
    void cancel(const std::string& key);

    // `retry_after` of a 429.
    void finish(const Grant& grant, RequestResult result,
                std::optional<std::chrono::seconds> retry_after = std::nullopt);
    // It was not used.
    void give_back(const Grant& grant);

    void set_limit(int requests_per_minute);

    // Once, before the first enter(): see RateBudget.
    void inherit(const std::vector<rt::TimePoint>& busy_until, rt::TimePoint reserved_until) {
        budget_.inherit(busy_until, reserved_until);
    }

    // For another scheduler of the same process, which takes this one's place: what was spent.
    [[nodiscard]] RateBudget spent() const;

    void resume(RateBudget spent) { budget_ = std::move(spent); }

    [[nodiscard]] int remaining() { return budget_.free(runtime_.now()); }

    [[nodiscard]] bool breaker_open() const { return breaker_.open(); }

    // 429: until when nothing is sent; in the past if there is no such pause.
    [[nodiscard]] rt::TimePoint paused_until() const { return budget_.paused_until(); }

    // About when it is the turn of a key that waits: for the status.
    [[nodiscard]] rt::TimePoint estimate(const std::string& key);

    // Whether nothing waits, and nothing has to be remembered.
    [[nodiscard]] bool idle();

    // Hands out slots as they come free, until closed or cancelled.
    asio::awaitable<void> run();

    void close() {
        closed_ = true;
        changed_.notify();
    }

  private:
    struct SetAside {
        Grant grant;
        FairQueue::Waiter waiter;
        rt::TimePoint until{};
    };

    [[nodiscard]] bool may_try_at_once(const Request& request);
    void hand_out(const std::string& entering = {});
    [[nodiscard]] const FairQueue::Waiter* choose();
    [[nodiscard]] const FairQueue::Waiter* choose_probe() const;
    [[nodiscard]] bool may_go(RequestClass request_class);
    void set_aside(const std::string& key);
    std::optional<Grant> collect(const std::string& key);
    void drop_overdue();
    void revoke(bool (*concerned)(const RequestClassTraits&));
    void refused(const Grant& grant, std::optional<std::chrono::seconds> retry_after);
    [[nodiscard]] rt::Duration pause_without_advice(int refusals);
    void note_failure(const Grant& grant);
    void note_success(const Grant& grant);
    [[nodiscard]] bool holds_pushes_back() const;
    void close_unneeded_breaker();
    [[nodiscard]] rt::TimePoint next_change();

    rt::Runtime& runtime_;
    RateBudget budget_;
    CircuitBreaker breaker_;
    std::optional<rt::TimePoint> unneeded_since_; // the breaker is open for nobody
    std::function<void()> breaker_changed_;
    FairQueue queue_;
    std::unordered_map<std::string, Wake> wakes_; // of those in turns_
    std::unordered_map<std::string, SetAside> set_aside_;
    rt::Event changed_;
    std::uint64_t handed_out_ = 0;
    bool closed_ = false;
};

} // namespace oco::work
