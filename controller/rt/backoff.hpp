// Exponential backoff with full jitter: a crowd that failed together does not come back together.
#pragma once

#include "rt/runtime.hpp"

#include <algorithm>
#include <cmath>

namespace oco::rt {

struct BackoffPolicy {
    Duration first = std::chrono::seconds(1);
    Duration longest = std::chrono::minutes(5);
};

// What to wait after `failures` failures in a row (>= 1), without jitter.
inline Duration backoff_step(const BackoffPolicy& policy, int failures) {
    const double exponent = std::min(std::max(failures, 1) - 1, 30);
    const double step = std::min(static_cast<double>(policy.longest.count()),
                                 static_cast<double>(policy.first.count()) * std::exp2(exponent));
    return Duration(static_cast<Duration::rep>(step));
}

// Uniform between `least` and `most`.
inline Duration jittered(Runtime& runtime, Duration least, Duration most) {
    const auto spread = static_cast<double>((most - least).count());
    return least + Duration(static_cast<Duration::rep>(spread * runtime.random_unit()));
}

// Uniform between a tenth of the step and the step, so that a retry never follows at once.
inline Duration backoff(Runtime& runtime, const BackoffPolicy& policy, int failures) {
    const Duration step = backoff_step(policy, failures);
    return jittered(runtime, step / 10, step);
}

} // namespace oco::rt
