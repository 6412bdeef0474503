#include "reconcile/connection/connection_state.hpp"

#include "reconcile/cluster/ownership.hpp"

#include <utility>

namespace oco::reconcile {

void recall_unanswered(ConnectionState& state, rt::TimePoint now) {
    for (const omni::Field field : state.status.unanswered) {
        state.in_doubt.note_unknown_value(field, now);
        if (!holds(state.status.applied, field))
            state.unknown.insert(field);
    }
}

FieldSet unanswered_fields(const ConnectionState& state, const api::OmniConnection& object,
                           rt::TimePoint now) {
    const FieldSet in_doubt = state.in_doubt.fields(now);
    FieldSet out;
    for (const omni::Field field : managed_fields(object))
        if (in_doubt.contains(field))
            out.insert(field);
    return out;
}

void note_cut(ConnectionState& state, const api::OmniConnection& object, rt::TimePoint now,
              WallTime wall_now) {
    for (const omni::Field field : std::exchange(state.in_flight, {})) {
        state.in_doubt.note_unknown_value(field, now);
        forget_applied(state.status.applied, field);
    }
    state.status.unanswered = unanswered_fields(state, object, now);
    state.status.observed_generation = object.meta.generation;
    kube::set_conditions(
        state.status.conditions,
        conditions_of(
            outcome(reason::progressing, "sent; the operator was stopped before Omni answered"),
            object.meta.generation),
        wall_now);
}

} // namespace oco::reconcile
