#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>

namespace emulator {

/// A point of a clock that never goes back. Its origin means nothing.
using Instant = std::chrono::microseconds;

enum class RateWindow { sliding, fixed };

struct Limits {
    std::size_t requests_per_minute = 60;
    RateWindow window = RateWindow::sliding;
    bool count_refused = false; ///< whether a request that was refused uses up budget, too
};

/// The limit for one token. Omni does not say whether its window slides or is fixed, so both are
/// here. Two requests exactly a minute apart are never in one window.
class RateMeter {
  public:
    /// Counts one request at `now` and tells whether it is within the limit.
    bool admit(Instant now, const Limits& limits);

    /// Most requests seen in any sliding minute, refused ones included.
    std::size_t max_in_window() const { return max_in_window_; }

    /// Forgets `max_in_window`, not what the limit needs.
    void reset_statistics();

  private:
    bool admit_sliding(Instant now, const Limits& limits);
    bool admit_fixed(Instant now, const Limits& limits);

    std::deque<Instant> counted_;  ///< what the sliding window holds
    std::deque<Instant> arrivals_; ///< all requests of the last minute, for the statistics
    Instant::rep fixed_minute_ = -1;
    std::size_t fixed_count_ = 0;
    std::size_t max_in_window_ = 0;
};

/// One meter for each token.
class RateLimiter {
  public:
    explicit RateLimiter(Limits limits) : limits_(limits) {}

    bool admit(const std::string& token, Instant now);

    const Limits& limits() const { return limits_; }

    /// What was counted so far goes on counting when only the number changes; another kind of
    /// window starts empty.
    void set_limits(Limits limits) { limits_ = limits; }

    std::size_t max_in_window() const;
    void reset_statistics();

  private:
    Limits limits_;
    std::unordered_map<std::string, RateMeter> meters_;
};

} // namespace emulator
