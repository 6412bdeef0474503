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

// After `failures` failures in a row (>= 1): uniform between a tenth of the step and the step, so
// that a retry never follows at once.
inline Duration backoff(Runtime& runtime, const BackoffPolicy& policy, int failures) {
    const double exponent = std::min(std::max(failures, 1) - 1, 30);
    const double step = std::min(static_cast<double>(policy.longest.count()),
                                 static_cast<double>(policy.first.count()) * std::exp2(exponent));
    return Duration(static_cast<Duration::rep>(step * (0.1 + 0.9 * runtime.random_unit())));
}

} // namespace oco::rt
