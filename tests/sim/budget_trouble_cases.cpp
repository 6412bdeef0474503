// Crashes and outages.
#include "budget_verdict.hpp"

namespace oco::sim {

std::span<const BudgetCase> trouble_cases() {
    return {};
}

} // namespace oco::sim
