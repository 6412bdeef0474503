#include "reconcile/connection/record.hpp"

namespace oco::reconcile {
namespace {

using omni::Field;

template<class Entry>
void take_entry(std::optional<Entry>& out, const FieldState& field, const std::string& uid) {
    if (const auto* value = field.applied_by(uid))
        out = std::get<Entry>(value->entry);
}

} // namespace

void record_fields(api::OmniConnection::Status& status, const api::OmniConnection& object,
                   const Target& target, const TargetState* state, rt::TimePoint now) {
    status.applied = {.target = target};
    status.unanswered.clear();
    if (state == nullptr)
        return;
    const std::string& uid = object.meta.uid;
    take_entry(status.applied.credential, (*state)[Field::credential], uid);
    take_entry(status.applied.base_role, (*state)[Field::base_role], uid);
    take_entry(status.applied.environment_user_attribute,
               (*state)[Field::environment_user_attribute], uid);
    for (const Field field : all_fields) // managed any more or not
        if ((*state)[field].in_doubt(uid, now))
            status.unanswered.insert(field);
}

void restore_fields(Targets& targets, const api::OmniConnection& object, const DigestKey& key,
                    const Trust& trust, rt::TimePoint now) {
    const api::Applied& applied = object.status.applied;
    if (applied.target.empty())
        return;
    const std::string& uid = object.meta.uid;
    TargetState& state = targets.at(applied.target);
    for (const Field field : object.status.unanswered)
        state[field].doubt_until(uid, now + may_land_for);

    const bool all_is_recorded = trust.all_is_recorded;
    const bool spec_was_seen = object.status.observed_generation == object.meta.generation;
    if (!all_is_recorded && !spec_was_seen)
        return;
    const auto& credential = applied.credential;
    const bool secret_untouched =
        credential && trust.secret != nullptr && trust.secret->uid == credential->secret_uid &&
        trust.secret->resource_version == credential->secret_resource_version;
    const bool went_back =
        credential && trust.secret != nullptr && trust.secret_is_newer &&
        trust.secret->uid == credential->secret_uid &&
        kube::is_older_version(trust.secret->resource_version, credential->secret_resource_version);
    if (credential && !went_back && (all_is_recorded || secret_untouched))
        state[Field::credential].restore(
            {.uid = uid, .digest = credential->digest, .entry = *credential});
    if (const auto& role = applied.base_role)
        state[Field::base_role].restore(
            {.uid = uid,
             .digest = base_role_digest(key, uid, applied.target, role->value),
             .entry = *role});
    if (const auto& attribute = applied.environment_user_attribute)
        state[Field::environment_user_attribute].restore(
            {.uid = uid,
             .digest = environment_digest(key, uid, applied.target, attribute->value),
             .entry = *attribute});
}

} // namespace oco::reconcile
