// Requests that earlier processes sent, according to the statuses: they count in the budget.
#pragma once

#include "api/omni_connection.hpp"
#include "rt/runtime.hpp"

#include <vector>

namespace oco::reconcile {

// The ends of the budget's slots that were used for this object, as late as they may be, on the
// monotonic clock; those that are over are left out. What one PATCH pushed is one request. A time
// in the future (another machine's clock) counts as now. An attempt without a response may have
// been sent just now.
std::vector<rt::TimePoint> used_slots(const api::OmniConnection::Status& status,
                                      const rt::Runtime& runtime);

} // namespace oco::reconcile
