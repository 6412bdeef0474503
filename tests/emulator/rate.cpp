#include "rate.hpp"

#include <algorithm>

namespace emulator {
namespace {

constexpr Instant minute = std::chrono::minutes(1);

void forget_older(std::deque<Instant>& times, Instant now) {
    while (!times.empty() && now - times.front() >= minute)
        times.pop_front();
}

} // namespace

bool RateMeter::admit(Instant now, const Limits& limits) {
    forget_older(arrivals_, now);
    arrivals_.push_back(now);
    max_in_window_ = std::max(max_in_window_, arrivals_.size());
    return limits.window == RateWindow::sliding ? admit_sliding(now, limits)
                                                : admit_fixed(now, limits);
}

bool RateMeter::admit_sliding(Instant now, const Limits& limits) {
    forget_older(counted_, now);
    const bool admitted = counted_.size() < limits.requests_per_minute;
    if (admitted || limits.count_refused)
        counted_.push_back(now);
    return admitted;
}

bool RateMeter::admit_fixed(Instant now, const Limits& limits) {
    const auto this_minute = now / minute;
    if (this_minute != fixed_minute_)
        fixed_count_ = 0;
    fixed_minute_ = this_minute;
    const bool admitted = fixed_count_ < limits.requests_per_minute;
    // Counting refused ones changes nothing here: the window ends by the clock in any case.
    if (admitted)
        ++fixed_count_;
    return admitted;
}

void RateMeter::reset_statistics() {
    arrivals_.clear();
    max_in_window_ = 0;
}

bool RateLimiter::admit(const std::string& token, Instant now) {
    return meters_[token].admit(now, limits_);
}

std::size_t RateLimiter::max_in_window() const {
    std::size_t most = 0;
    for (const auto& [token, meter] : meters_)
        most = std::max(most, meter.max_in_window());
    return most;
}

void RateLimiter::reset_statistics() {
    for (auto& [token, meter] : meters_)
        meter.reset_statistics();
}

} // namespace emulator
