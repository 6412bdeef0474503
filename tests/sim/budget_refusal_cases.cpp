// What Omni refuses, and whom that holds up.
#include "budget_verdict.hpp"

namespace oco::sim {

std::span<const BudgetCase> refusal_cases() {
    return {};
}

} // namespace oco::sim
