#include "reconcile/memory.hpp"

#include "reconcile/claims.hpp"

#include <utility>

namespace oco::reconcile {

void recall_unanswered(Memory& memory, rt::TimePoint now) {
    for (const omni::Field field : memory.status.unanswered) {
        memory.late.note_lost(field, now);
        if (!holds(memory.status.applied, field))
            memory.unknown.insert(field);
    }
}

FieldSet unanswered_fields(const Memory& memory, const api::OmniConnection& object,
                           rt::TimePoint now) {
    const FieldSet late = memory.late.fields(now);
    FieldSet out;
    for (const omni::Field field : managed_fields(object))
        if (late.contains(field))
            out.insert(field);
    return out;
}

void note_cut(Memory& memory, const api::OmniConnection& object, rt::TimePoint now,
              WallTime wall_now) {
    for (const omni::Field field : std::exchange(memory.in_flight, {})) {
        memory.late.note_lost(field, now);
        forget_applied(memory.status.applied, field);
    }
    memory.status.unanswered = unanswered_fields(memory, object, now);
    memory.status.observed_generation = object.meta.generation;
    kube::set_conditions(
        memory.status.conditions,
        conditions_of(
            outcome(reason::progressing, "sent; the operator was stopped before Omni answered"),
            object.meta.generation),
        wall_now);
}

} // namespace oco::reconcile
