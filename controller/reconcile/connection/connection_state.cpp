#include "reconcile/connection/connection_state.hpp"

#include <utility>

namespace oco::reconcile {

void ConnectionState::turn_to(Target next) {
    target = std::move(next);
    status.dialect.clear();
    status.rejected.reset();
    drift = {};
    refusals = {};
    not_found_at.reset();
    key_doubt = {};
}

} // namespace oco::reconcile
