// Holds back requests to a server that fails for everybody, except for a few probes, and learns
// which keys fail by themselves. Pure: time comes in.
#pragma once

#include "rt/runtime.hpp"

#include <map>
#include <string>

namespace oco::work {

class CircuitBreaker {
  public:
    // It opens when requests for this many different keys have failed without a success in between:
    // fewer may be the keys' own fault.
    static constexpr std::size_t threshold = 3;
    // A key that arrives while it is open, and did not fail itself, is tried beside the probes:
    // what fails may be the others' own fault. The first a while after it opened, then one in each
    // interval.
    static constexpr rt::Duration fresh_delay = std::chrono::seconds(1);
    static constexpr rt::Duration fresh_interval = std::chrono::seconds(20);
    // Longer than any backoff: a key that has not failed for so long is not tried any more.
    static constexpr rt::Duration failure_remembered = std::chrono::minutes(15);

    enum class Change { none, opened, closed };

    // A request for `key` has failed. A key that goes on failing after another's success fails by
    // itself, and does not count. While it is open nothing changes; see probe_failed().
    Change failed(const std::string& key, rt::TimePoint now);
    // A request for `key` was answered by the server itself.
    Change succeeded(const std::string& key);
    // Nobody is held back any more, so that no probe would ever be sent: who comes next is tried at
    // once, and opens it again if it fails as well.
    Change close();

    [[nodiscard]] bool open() const { return open_; }

    // Whether the last request for `key` has failed.
    [[nodiscard]] bool fails(const std::string& key) const { return failing_.contains(key); }

    // Whether it failed before and after a success of another's.
    [[nodiscard]] bool fails_by_itself(const std::string& key) const;

    // While open: whether the probe may be sent.
    [[nodiscard]] bool may_probe(rt::TimePoint now) const {
        return open_ && !probing_ && now >= next_probe_;
    }

    [[nodiscard]] bool probing() const { return probing_; }

    void begin_probe() { probing_ = true; }

    // The probe failed. Returns how many have failed in a row, including this one: for the pause.
    int probe_failed();

    // The probe was not sent after all, or its response says nothing.
    void probe_undecided() { probing_ = false; }

    // No probe before this.
    void pause(rt::TimePoint until) { next_probe_ = until; }

    [[nodiscard]] rt::TimePoint next_probe() const { return next_probe_; }

    // While open: from when on such a key may be tried.
    [[nodiscard]] rt::TimePoint next_fresh() const { return next_fresh_; }

    void begin_fresh(rt::TimePoint now) { next_fresh_ = now + fresh_interval; }

  private:
    struct Failing {
        rt::TimePoint last{};
        bool outlived = false; // another's request has succeeded since
        bool by_itself = false;
    };

    void forget_before(rt::TimePoint time);

    std::map<std::string, Failing> failing_; // since their last success
    rt::TimePoint next_sweep_{};
    bool open_ = false;
    bool probing_ = false;
    int failed_probes_ = 0;
    rt::TimePoint next_probe_{};
    rt::TimePoint next_fresh_{};
};

} // namespace oco::work
