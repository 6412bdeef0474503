#include "reconcile/cluster/ownership.hpp"

#include "base/mutation.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

namespace oco::reconcile {
namespace {

bool older(const Claim* a, const Claim* b) {
    return std::tie(a->created, a->key) < std::tie(b->created, b->key);
}

template<class Which>
const Claim* oldest(const std::vector<const Claim*>& claims, Which which) {
    const auto it = std::ranges::find_if(claims, which);
    return it == claims.end() ? nullptr : *it;
}

} // namespace

FieldSet managed_fields(const api::OmniConnection& object) {
    FieldSet fields;
    if (object.credential)
        fields.insert(omni::Field::credential);
    if (object.base_role)
        fields.insert(omni::Field::base_role);
    if (object.environment_user_attribute)
        fields.insert(omni::Field::environment_user_attribute);
    return fields;
}

Ownership ownership_without_doubt(std::span<const Claim> claims, omni::Field field) {
    return ownership_of(claims, field, rt::TimePoint::max());
}

Ownership ownership_of(std::span<const Claim> claims, omni::Field field, rt::TimePoint now) {
    std::vector<const Claim*> sorted;
    for (const Claim& claim : claims)
        if (claim.fields.contains(field))
            sorted.push_back(&claim);
    std::ranges::sort(sorted, older);

    const Claim* best = oldest(sorted, [](const Claim* c) { return c->proof == Proof::proved; });
    if (best == nullptr)
        best = oldest(sorted, [](const Claim* c) { return c->proof == Proof::unreadable; });
    const bool best_is_proved = best != nullptr && best->proof == Proof::proved;

    std::optional<rt::TimePoint> decided_at;
    for (const Claim* claim : sorted)
        if (claim->proof == Proof::pending && claim->pending_until > now &&
            (!best_is_proved || older(claim, best)) && !mutated("claims-incomplete-at-take-over"))
            decided_at = std::max(decided_at.value_or(claim->pending_until), claim->pending_until);

    // Whoever has sent it goes on, unless it ranks behind another whatever becomes of the doubt.
    const Claim* incumbent = oldest(sorted, [&](const Claim* c) {
        const bool may_rank_first =
            best == nullptr || c == best ||
            (c->proof == Proof::pending && (!best_is_proved || older(c, best)));
        return c->sent.contains(field) && may_rank_first;
    });
    const Claim* holder = decided_at || best == nullptr ? incumbent : best;
    return {.holder = holder ? std::optional(holder->key) : std::nullopt, .decided_at = decided_at};
}

} // namespace oco::reconcile
