#include "reconcile/memory.hpp"

#include "reconcile/claims.hpp"

#include <utility>

namespace oco::reconcile {
namespace {

constexpr std::string_view lost_value = "a value that nobody remembers"; // equals no digest

} // namespace

void recall_unanswered(Memory& memory) {
    for (const omni::Field field : memory.status.unanswered) {
        memory.unknown.insert(field);
        memory.unanswered[field].insert(std::string(lost_value));
        forget_applied(memory.status.applied, field);
    }
}

FieldSet unanswered_fields(const Memory& memory, const api::OmniConnection& object) {
    FieldSet out;
    for (const omni::Field field : managed_fields(object))
        if (const auto it = memory.unanswered.find(field);
            it != memory.unanswered.end() && !it->second.empty())
            out.insert(field);
    return out;
}

void note_cut(Memory& memory, const api::OmniConnection& object, WallTime now) {
    for (const omni::Field field : std::exchange(memory.in_flight, {})) {
        memory.unanswered[field].insert(std::string(lost_value));
        forget_applied(memory.status.applied, field);
    }
    memory.status.unanswered = unanswered_fields(memory, object);
    memory.status.observed_generation = object.meta.generation;
    kube::set_conditions(
        memory.status.conditions,
        conditions_of(
            outcome(reason::progressing, "sent; the operator was stopped before Omni answered"),
            object.meta.generation),
        now);
}

} // namespace oco::reconcile
