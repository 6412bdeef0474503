// What Omni's answer to a Reconciliation's PATCH means, or that there is none.
#include "base/log.hpp"
#include "base/mutation.hpp"
#include "reconcile/connection/reconciliation.hpp"
#include "rt/backoff.hpp"

#include <algorithm>

namespace oco::reconcile {
namespace {

using omni::Field;

constexpr rt::BackoffPolicy push_backoff{.first = std::chrono::seconds(1),
                                         .longest = std::chrono::minutes(5)};

// No answer, or one of a proxy that gave up on a server which may still be at work.
bool may_land_late(const Error& error) {
    return error.http_status == 0 || error.http_status == 408 || error.http_status == 502 ||
           error.http_status == 504;
}

std::string_view event_reason(Field field) {
    switch (field) {
    case Field::credential:
        return "CredentialPushed";
    case Field::base_role:
        return "BaseRoleUpdated";
    case Field::environment_user_attribute:
        return "EnvironmentUserAttributeUpdated";
    }
    return {};
}

} // namespace

// Whether a value that Omni just accepted stays: not while an earlier attempt with another value
// may still land. Then it is sent again once that is over.
bool Reconciliation::counts_as_applied(Field field) {
    const std::string& digest = digests_.at(field);
    const auto now = services_.runtime.now();
    const auto settling = state_.settling.find(field);
    const bool settled = settling != state_.settling.end() && settling->second.digest == digest &&
                         now >= settling->second.due;
    if (mutated("late-values-forgotten") && !state_.settling.contains(field))
        state_.in_doubt.clear();
    if (state_.in_doubt.may_be_overwritten(field, digest, now) && !settled &&
        !mutated("no-settling")) {
        state_.unknown.insert(field);
        forget_applied(status_.applied, field);
        state_.settling[field] = {.digest = digest, .due = now + InDoubtValues::may_land_for};
        return false;
    }
    state_.unknown.erase(field);
    state_.settling.erase(field);
    return true;
}

void Reconciliation::record_applied(Field field, const std::string& now_text) {
    api::Applied& applied = status_.applied;
    switch (field) {
    case Field::credential:
        applied.credential =
            api::AppliedCredential{.secret_name = object_->credential->secret.name,
                                   .secret_key = object_->credential->secret.key,
                                   .secret_uid = read_->meta.uid,
                                   .secret_resource_version = read_->meta.resource_version,
                                   .rotation_id = read_->rotation_id,
                                   .digest = digests_.at(Field::credential),
                                   .key_id = services_.digest_key.id,
                                   .pushed_at = now_text};
        break;
    case Field::base_role:
        applied.base_role =
            api::AppliedBaseRole{.value = *object_->base_role, .pushed_at = now_text};
        break;
    case Field::environment_user_attribute:
        applied.environment_user_attribute = api::AppliedEnvironmentUserAttribute{
            .value = *object_->environment_user_attribute, .pushed_at = now_text};
        break;
    }
}

std::string Reconciliation::describe_accepted(Field field) const {
    switch (field) {
    case Field::credential:
        return "Omni accepted the credential from Secret " + read_->meta.key.name + ", version " +
               read_->meta.resource_version;
    case Field::base_role:
        return "Omni accepted base role " + *object_->base_role;
    case Field::environment_user_attribute:
        return "Omni accepted the environment user attribute";
    }
    return {};
}

void Reconciliation::announce_accepted(Field field) {
    const bool corrected = state_.drift.corrects(field);
    owner_.writer_.record(
        object_->meta, kube::EventType::normal, corrected ? "DriftCorrected" : event_reason(field),
        "Push", (corrected ? "it had been changed in Omni: " : "") + describe_accepted(field));
    if (field == Field::credential && credential_->ends_in_newline)
        owner_.writer_.record(object_->meta, kube::EventType::warning, "PasswordEndsInNewline",
                              "Push",
                              "the password in Secret " + read_->meta.key.name +
                                  " ends in a line break, which was sent as part of it; `echo -n` "
                                  "avoids that");
    log::info("pushed", {{"object", object_->meta.key.str()},
                         {"field", std::string(omni::name(field))},
                         {"host", target_.host},
                         {"connection", target_.connection_id}});
}

void Reconciliation::note_accepted(const FieldSet& fields) {
    const auto now = services_.runtime.now();
    const std::string now_text = format_rfc3339(services_.runtime.wall_now());
    status_.last_push_time = now_text;
    status_.rejected.reset();
    if (state_.force_token != object_->force_requested_at) {
        state_.force_token = object_->force_requested_at;
        state_.forced.clear();
    }
    state_.forced.insert(fields.begin(), fields.end());
    for (const Field field : fields) {
        if (counts_as_applied(field))
            record_applied(field, now_text);
        announce_accepted(field);
        state_.drift.pushed(field, now);
    }
    if (fields.contains(Field::credential) && state_.secret_changed_at) {
        services_.metrics.rotation_latency(ops::Seconds(now - *state_.secret_changed_at));
        state_.secret_changed_at.reset();
    }
}

// Fields that were left out of this PATCH had been refused together with it.
Outcome Reconciliation::after_accepted(const FieldSet& fields) {
    for (const Field field : culprit(pending_, fields, digests_, state_.refusals))
        state_.refusals.add(combined_digest(digests_, {field}));
    for (const Field field : fields)
        pending_.erase(field);
    if (pending_.empty())
        return all_accepted();
    const Choice rest = choose(pending_, digests_, state_.refusals);
    if (rest.send.empty()) {
        status_.rejected = api::Rejected{.generation = object_->meta.generation,
                                         .digest = combined_digest(digests_, rest.blocked)};
        return outcome(reason::rejected, state_.refusal_message);
    }
    Outcome more = transient("sending the other fields");
    more.requeue_at = services_.runtime.now();
    return more;
}

// What was accepted stays; but what is told of the object depends on the instance, which may have
// changed while Omni answered, or be gone.
Outcome Reconciliation::all_accepted() {
    if (find_instance_state())
        return conclude();
    nothing_waits();
    return begin_again();
}

// The server may ask for more patience than our own.
Outcome Reconciliation::retry_later(Outcome why, std::optional<std::chrono::seconds> at_least) {
    const auto own = rt::backoff(services_.runtime, push_backoff, ++state_.failures);
    const auto asked =
        std::min<rt::Duration>(at_least.value_or(std::chrono::seconds(0)), push_backoff.longest);
    state_.next_attempt = services_.runtime.now() + std::max(own, asked);
    why.requeue_at = state_.next_attempt;
    state_.failure = why;
    return why;
}

Outcome Reconciliation::note_failed(const FieldSet& fields, const Error& error) {
    if (error.sent == Sent::maybe) // Omni may hold either value now
        for (const Field field : fields) {
            forget_applied(status_.applied, field);
            state_.settling.erase(field);
            if (may_land_late(error))
                state_.in_doubt.note(field, digests_.at(field), services_.runtime.now());
        }
    const auto now = services_.runtime.now();
    switch (error.kind) {
    case ErrorClass::refused:
    case ErrorClass::invalid:
        return note_refused(fields, error);
    case ErrorClass::unauthorized:
    case ErrorClass::forbidden: {
        state_.key_refused_at = now;
        state_.key_refused_message = error.message;
        owner_.instances_.doubt_key(instance_->meta.key, *instance_state_->client->account, error);
        return transient("Omni refused; the key is being checked");
    }
    case ErrorClass::not_found:
        state_.not_found_at = now;
        state_.lookup_since = now;
        request_list(now, work::RequestClass::lookup);
        if (object_->connection_id.empty())
            status_.connection_id.clear(); // a name may mean another connection now
        return retry_later(outcome(reason::connection_not_found,
                                   "Omni does not know the connection (any more), or the key may "
                                   "not see it. " +
                                       error.message));
    case ErrorClass::rate_limited: {
        Outcome limited = outcome(reason::rate_limited, error.message);
        limited.requeue_at = now; // waits for the scheduler
        return limited;
    }
    case ErrorClass::tls:
        return retry_later(outcome(reason::tls_verification_failed, error.message));
    default:
        return retry_later(outcome(reason::omni_unavailable, error.message), error.retry_after);
    }
}

Outcome Reconciliation::note_refused(const FieldSet& fields, const Error& error) {
    state_.refusals.add(combined_digest(digests_, fields));
    state_.refusal_message = error.message;
    const Choice next = choose(pending_, digests_, state_.refusals);
    if (!next.send.empty()) { // not all of it need be wrong
        Outcome more = transient("Omni refused the fields together; sending them "
                                 "one by one");
        more.requeue_at = services_.runtime.now();
        return more;
    }
    status_.rejected = api::Rejected{.generation = object_->meta.generation,
                                     .digest = combined_digest(digests_, next.blocked)};
    return outcome(reason::rejected, error.message);
}

} // namespace oco::reconcile
