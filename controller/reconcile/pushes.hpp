// What statuses tell of requests that processes before this one sent: they count in the budget.
#pragma once

#include "api/omni_connection.hpp"
#include "rt/runtime.hpp"

#include <vector>

namespace oco::reconcile {

// When requests for this object were answered, as late as it may have been, on the monotonic clock;
// of the last minute only. What one PATCH pushed is one request. A time in the future (another
// machine's clock) counts as now.
std::vector<rt::TimePoint> recent_pushes(const api::OmniConnection::Status& status,
                                         const rt::Runtime& runtime);

} // namespace oco::reconcile
