// Holds back requests to a server that fails for everybody, except for one at a time that tries.
// Pure: time comes in.
#pragma once

#include "rt/runtime.hpp"

#include <set>
#include <string>

namespace oco::work {

class CircuitBreaker {
  public:
    // It opens when requests for so many different keys have failed without a success between:
    // fewer may be the keys' own fault.
    static constexpr std::size_t threshold = 3;

    enum class Change { none, opened, closed };

    // A request for `key` has failed. While it is open, failures of requests that had been under
    // way before change nothing; see probe_failed().
    Change failed(const std::string& key);
    // A request was answered by the server itself.
    Change succeeded();

    [[nodiscard]] bool open() const { return open_; }

    // While open: whether the one request may go that tries.
    [[nodiscard]] bool may_probe(rt::TimePoint now) const {
        return open_ && !probing_ && now >= next_probe_;
    }

    void begin_probe() { probing_ = true; }

    // It failed. How many have in a row, this one included: for the pause that must follow.
    int probe_failed();

    // It was not sent after all, or its answer tells nothing.
    void probe_undecided() { probing_ = false; }

    // No probe before this.
    void pause(rt::TimePoint until) { next_probe_ = until; }

    [[nodiscard]] rt::TimePoint next_probe() const { return next_probe_; }

  private:
    std::set<std::string> failing_; // since the last success
    bool open_ = false;
    bool probing_ = false;
    int failed_probes_ = 0;
    rt::TimePoint next_probe_{};
};

} // namespace oco::work
