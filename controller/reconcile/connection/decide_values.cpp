// Values: what is wanted, what Omni lacks of it, and what it refused before.
#include "base/mutation.hpp"
#include "reconcile/connection/decider.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {
namespace {

using omni::Field;

// A Secret that an API server in trouble did not give.
constexpr rt::Duration reread_after = std::chrono::seconds(2);

ObjectKey secret_of(const api::OmniConnection& object) {
    return {.ns = object.meta.key.ns, .name = object.credential->secret.name};
}

} // namespace

bool Decider::forced(Field field) const {
    const std::string& token = seen_.object->force_requested_at;
    const bool done = state_.force_token == token && state_.forced.contains(field);
    return !token.empty() && token != state_.status.last_handled_force_at && !done;
}

bool Decider::lacks(Field field) const {
    return forced(field) ||
           fields_[field].lacks(seen_.object->meta.uid, decision_.digests.at(field), seen_.now);
}

const api::AppliedCredential* Decider::applied_credential() const {
    const auto* value =
        std::as_const(fields_)[Field::credential].applied_by(seen_.object->meta.uid);
    return value == nullptr ? nullptr : &std::get<api::AppliedCredential>(value->entry);
}

bool Decider::repush_is_due() const {
    const auto* applied = applied_credential();
    const auto interval = seen_.object->credential->repush_interval;
    if (applied == nullptr || interval.count() == 0)
        return false;
    const auto pushed = parse_rfc3339(applied->pushed_at);
    return !pushed || *pushed + interval <= seen_.wall_now;
}

// Whether the Secret's version alone says that Omni holds its value.
bool Decider::known_unread() const {
    const auto* applied = applied_credential();
    const auto& spec = *seen_.object->credential;
    if (applied == nullptr || state_.compared_kind != spec.kind ||
        applied->secret_name != spec.secret.name || applied->secret_key != spec.secret.key ||
        applied->key_id != seen_.digest_key_id || forced(Field::credential) || repush_is_due())
        return false;
    const auto& watched = seen_.watched_secret;
    if (watched && seen_.watch_is_current && watched->uid == applied->secret_uid &&
        watched->resource_version == applied->secret_resource_version)
        return true;
    // What was read a moment ago, before the watch has shown it.
    return reading_is_current() && !seen_.reading->error &&
           seen_.reading->meta.uid == applied->secret_uid &&
           seen_.reading->meta.resource_version == applied->secret_resource_version;
}

bool Decider::reading_is_current() const {
    const auto& reading = seen_.reading;
    const auto& spec = *seen_.object->credential;
    if (!reading || reading->secret != secret_of(*seen_.object) ||
        reading->secret_key != spec.secret.key || reading->passphrase_key != spec.passphrase_key ||
        reading->kind != spec.kind)
        return false;
    const std::string watched =
        seen_.watched_secret ? seen_.watched_secret->resource_version : std::string();
    return watched == reading->watched ||
           (!reading->error && watched == reading->meta.resource_version);
}

// The first read may come from the API server's cache, as new as the event; a retry must see the
// newest there is, and nothing may be older than what was read before.
Action Decider::read_secret() const {
    const auto& spec = *seen_.object->credential;
    const bool retries = state_.retry.attempted || state_.retry.failures > 0;
    const bool cache_will_do =
        seen_.watched_secret && !retries && (seen_.watch_is_current || mutated("stale-read"));
    return ReadSecret{.secret = secret_of(*seen_.object),
                      .key = spec.secret.key,
                      .passphrase_key = spec.passphrase_key,
                      .kind = spec.kind,
                      .not_older_than =
                          cache_will_do ? seen_.watched_secret->resource_version : std::string()};
}

std::optional<Action> Decider::examine_credential() {
    if (known_unread()) {
        digests()[Field::credential] = applied_credential()->digest;
        state_.secret_changed_at.reset();
        return std::nullopt;
    }
    if (!reading_is_current())
        return read_secret();
    const Reading& reading = *seen_.reading;
    if (reading.error) {
        Outcome why = secret_outcome(*reading.error, reading.secret);
        if (why.readiness == Readiness::progressing)
            why.requeue_at = seen_.now + reread_after;
        problems_.push_back(std::move(why));
        return std::nullopt;
    }
    if (auto refused = refuse_secret(reading.secret, reading.type, seen_.operator_namespace,
                                     "warehouse's credential"))
        problems_.push_back(std::move(*refused));
    else if (!reading.has_value)
        problems_.push_back(missing_key_outcome(reading.secret, reading.secret_key));
    else
        compare_credential();
    return std::nullopt;
}

void Decider::compare_credential() {
    const Reading& reading = *seen_.reading;
    const std::string& uid = seen_.object->meta.uid;
    FieldState& field = fields_[Field::credential];
    digests()[Field::credential] = reading.digest;
    if (auto* value = field.applied_by(uid)) {
        auto& entry = std::get<api::AppliedCredential>(value->entry);
        // Another digest key: only the same key of an unchanged Secret proves an unchanged value.
        if (entry.key_id != seen_.digest_key_id) {
            if (state_.compared_kind == reading.kind && entry.secret_name == reading.secret.name &&
                entry.secret_key == reading.secret_key && entry.secret_uid == reading.meta.uid &&
                entry.secret_resource_version == reading.meta.resource_version) {
                value->digest = entry.digest = reading.digest;
                entry.key_id = seen_.digest_key_id;
            } else {
                field.release(uid);
            }
        }
    }
    const auto* applied = applied_credential();
    const bool touched = mutated("version-is-value") && applied != nullptr &&
                         applied->secret_resource_version != reading.meta.resource_version;
    if (touched || lacks(Field::credential) || repush_is_due()) {
        pending().insert(Field::credential);
        return;
    }
    follow_version();
    state_.secret_changed_at.reset();
}

// The same value at another version, or under another name.
void Decider::follow_version() {
    auto* value = fields_[Field::credential].applied_by(seen_.object->meta.uid);
    if (value == nullptr)
        return;
    state_.compared_kind = seen_.object->credential->kind;
    auto& entry = std::get<api::AppliedCredential>(value->entry);
    entry.secret_name = seen_.object->credential->secret.name;
    entry.secret_key = seen_.object->credential->secret.key;
    entry.secret_uid = seen_.reading->meta.uid;
    entry.secret_resource_version = seen_.reading->meta.resource_version;
    entry.rotation_id = seen_.reading->rotation_id;
}

void Decider::examine_settings() {
    const std::string& uid = seen_.object->meta.uid;
    if (held_.contains(Field::base_role))
        examine_setting(Field::base_role,
                        base_role_digest(key_, uid, state_.target, *seen_.object->base_role));
    if (held_.contains(Field::environment_user_attribute))
        examine_setting(Field::environment_user_attribute,
                        environment_digest(key_, uid, state_.target,
                                           *seen_.object->environment_user_attribute));
}

void Decider::examine_setting(Field field, std::string digest) {
    digests()[field] = std::move(digest);
    if (lacks(field))
        pending().insert(field);
}

// After a restart only the status knows what Omni refused: the set of fields whose values give the
// same digest.
void Decider::recall_rejection() {
    auto& rejected = state_.status.rejected;
    if (!rejected)
        return;
    if (rejected->generation != seen_.object->meta.generation) {
        rejected.reset();
        return;
    }
    if (!state_.refusals.empty())
        return;
    const auto subset = subset_with_digest(pending(), digests(), rejected->digest);
    for (const Field field : subset)
        state_.refusals.add(combined_digest(digests(), {field}));
    if (subset.empty())
        return;
    const auto* ready = kube::find_condition(state_.status.conditions, "Ready");
    state_.refusal_message = ready != nullptr && ready->reason == reason::rejected
                                 ? ready->message
                                 : "Omni rejected these values before; change the spec or the "
                                   "Secret";
}

void Decider::note_rejected(const FieldSet& blocked) {
    state_.status.rejected = api::Rejected{.generation = seen_.object->meta.generation,
                                           .digest = combined_digest(digests(), blocked)};
}

void Decider::give_up_credential(Outcome why) {
    problems_.push_back(std::move(why));
    pending().erase(Field::credential);
}

std::optional<Action> Decider::check_preparation() {
    if (!pending().contains(Field::credential))
        return std::nullopt;
    const Reading& reading = *seen_.reading;
    if (!reading.passphrase_key.empty() && !reading.has_passphrase) {
        give_up_credential(missing_key_outcome(reading.secret, reading.passphrase_key));
        return std::nullopt;
    }
    if (!reading.prepared)
        return PrepareCredential{};
    if (!reading.prepared->error.empty())
        give_up_credential(outcome(reason::invalid_credential,
                                   "Secret " + reading.secret.str() + ", key \"" +
                                       reading.secret_key + "\": " + reading.prepared->error));
    return std::nullopt;
}

} // namespace oco::reconcile
