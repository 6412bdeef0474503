#include "reconcile/connection/record.hpp"

namespace oco::reconcile {
namespace {

using omni::Field;

template<class Entry>
void take_entry(std::optional<Entry>& out, const FieldState& field, const std::string& uid) {
    if (const auto* value = field.applied_by(uid))
        out = std::get<Entry>(value->entry);
}

// Whether the Secret is the one that was applied, under the key that the spec names, untouched.
bool is_wanted(const api::AppliedCredential& entry, const api::OmniConnection& object,
               const kube::ObjectMeta* secret) {
    return object.credential && entry.secret_name == object.credential->secret.name &&
           entry.secret_key == object.credential->secret.key && secret != nullptr &&
           secret->uid == entry.secret_uid &&
           secret->resource_version == entry.secret_resource_version;
}

// Not: it was applied before the object was there, and somebody has restored the status. Where two
// clocks make it look so, it is sent once more, and then it looks so no longer.
bool is_its_own(const std::string& pushed_at, const api::OmniConnection& object) {
    const auto pushed = parse_rfc3339(pushed_at);
    return !pushed || *pushed >= object.meta.created;
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

    // What the spec wanted when the status was written may have been sent since.
    const bool spec_was_seen = object.status.observed_generation == object.meta.generation;
    if (trust.rewound || (!trust.all_is_recorded && !spec_was_seen))
        return;
    const auto believe = [&](const std::string& pushed_at, bool wanted) {
        return is_its_own(pushed_at, object) && (trust.all_is_recorded || wanted);
    };
    const auto& credential = applied.credential;
    const bool went_back =
        credential && trust.secret != nullptr && trust.secret_is_newer &&
        trust.secret->uid == credential->secret_uid &&
        kube::is_older_version(trust.secret->resource_version, credential->secret_resource_version);
    if (credential && !went_back &&
        believe(credential->pushed_at, is_wanted(*credential, object, trust.secret)))
        state[Field::credential].restore(
            {.uid = uid, .digest = credential->digest, .entry = *credential});
    if (const auto& role = applied.base_role;
        role && believe(role->pushed_at, object.base_role == role->value))
        state[Field::base_role].restore(
            {.uid = uid,
             .digest = base_role_digest(key, uid, applied.target, role->value),
             .entry = *role});
    if (const auto& attribute = applied.environment_user_attribute;
        attribute &&
        believe(attribute->pushed_at, object.environment_user_attribute == attribute->value))
        state[Field::environment_user_attribute].restore(
            {.uid = uid,
             .digest = environment_digest(key, uid, applied.target, attribute->value),
             .entry = *attribute});
}

} // namespace oco::reconcile
