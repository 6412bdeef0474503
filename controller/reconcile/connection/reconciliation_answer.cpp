// What Omni's answer to a Reconciliation's PATCH means, or that there is none.
#include "base/log.hpp"
#include "reconcile/connection/answer_table.hpp"
#include "reconcile/connection/reconciliation.hpp"

#include <algorithm>

namespace oco::reconcile {
namespace {

using omni::Field;

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

AppliedEntry Reconciliation::entry_of(Field field, const std::string& digest,
                                      const std::string& pushed_at) const {
    const api::OmniConnection& object = *seen_.object;
    switch (field) {
    case Field::credential:
        return api::AppliedCredential{.secret_name = object.credential->secret.name,
                                      .secret_key = object.credential->secret.key,
                                      .secret_uid = reading_->meta.uid,
                                      .secret_resource_version = reading_->meta.resource_version,
                                      .rotation_id = reading_->rotation_id,
                                      .digest = digest,
                                      .key_id = services_.digest_key.id,
                                      .pushed_at = pushed_at};
    case Field::base_role:
        return api::AppliedBaseRole{.value = *object.base_role, .pushed_at = pushed_at};
    case Field::environment_user_attribute:
        break;
    }
    return api::AppliedEnvironmentUserAttribute{.value = *object.environment_user_attribute,
                                                .pushed_at = pushed_at};
}

std::string Reconciliation::describe_accepted(Field field) const {
    switch (field) {
    case Field::credential:
        return "Omni accepted the credential from Secret " + reading_->meta.key.name +
               ", version " + reading_->meta.resource_version;
    case Field::base_role:
        return "Omni accepted base role " + *seen_.object->base_role;
    case Field::environment_user_attribute:
        return "Omni accepted the environment user attribute";
    }
    return {};
}

void Reconciliation::announce_accepted(Field field) const {
    const bool corrected = state_.drift.corrects(field);
    const auto& meta = seen_.object->meta;
    owner_.writer_.record(
        meta, kube::EventType::normal, corrected ? "DriftCorrected" : event_reason(field), "Push",
        (corrected ? "corrected a change made in Omni: " : "") + describe_accepted(field));
    if (field == Field::credential && reading_->prepared->ends_in_newline)
        owner_.writer_.record(
            meta, kube::EventType::warning, "PasswordEndsInNewline", "Push",
            "the password in Secret " + reading_->meta.key.name +
                " ends in a line break, which was sent too; remove it (`echo -n`) "
                "if it is not part of the password");
    log::info("pushed", {{"object", key_.str()},
                         {"field", std::string(omni::name(field))},
                         {"host", state_.target.host},
                         {"connection", state_.target.connection_id}});
}

void Reconciliation::note_accepted(const Decision& decision, const FieldSet& sent) {
    const std::string now_text = format_rfc3339(services_.runtime.wall_now());
    state_.status.last_push_time = now_text;
    state_.status.rejected.reset();
    state_.key_doubt = {};
    if (state_.force_token != seen_.object->force_requested_at) {
        state_.force_token = seen_.object->force_requested_at;
        state_.forced.clear();
    }
    state_.forced.insert(sent.begin(), sent.end());
    if (sent.contains(Field::credential))
        state_.compared_kind = seen_.object->credential->kind;
    for (const Field field : sent) {
        fields()[field].accepted(entry_of(field, decision.digests.at(field), now_text), now());
        announce_accepted(field);
        state_.drift.pushed(field, now());
    }
    // Fields that were left out of this PATCH had been refused together with it.
    for (const Field field : culprit(decision.pending, sent, decision.digests, state_.refusals))
        state_.refusals.add(combined_digest(decision.digests, {field}));
    if (sent.contains(Field::credential) && state_.secret_changed_at) {
        services_.metrics.rotation_latency(ops::Seconds(now() - *state_.secret_changed_at));
        state_.secret_changed_at.reset();
    }
}

// The server may ask for more patience than our own.
void Reconciliation::retry_later(Outcome why, std::optional<std::chrono::seconds> at_least) {
    Retry& retry = state_.retry;
    const auto own = rt::backoff(services_.runtime, push_backoff, ++retry.failures);
    const auto asked =
        std::min<rt::Duration>(at_least.value_or(std::chrono::seconds(0)), push_backoff.longest);
    retry.next_attempt = now() + std::max(own, asked);
    retry.why = std::move(why);
}

void Reconciliation::note_failed(const Decision& decision, const FieldSet& sent,
                                 const Error& error) {
    const AnswerMeaning meaning = meaning_of(error);
    for (const Field field : sent)
        if (error.sent == Sent::maybe)
            fields()[field].unanswered(meaning.late, now());
        else
            fields()[field].rejected();
    switch (meaning.next) {
    case NextStep::reject:
        state_.refusals.add(combined_digest(decision.digests, sent));
        state_.refusal_message = error.message;
        break;
    case NextStep::ask_key:
        state_.key_doubt.refused_at = now();
        state_.key_doubt.message = error.message;
        state_.key_doubt.key_named = error.kind == ErrorClass::unauthorized;
        owner_.instances_.doubt_key(seen_.object->instance, *seen_.view->client->account, error);
        break;
    case NextStep::look_up:
        state_.not_found_at = now();
        state_.lookup_since = now();
        if (seen_.object->connection_id.empty())
            state_.pin = {.meaning = state_.pin.meaning, .since = now(), .from = state_.pin.from};
        retry_later(outcome(meaning.reason, "Omni has no such connection, or the API key may not "
                                            "see it; correct the spec, or create the connection. " +
                                                error.message));
        break;
    case NextStep::wait_turn:
        break;
    case NextStep::retry:
        retry_later(outcome(meaning.reason, error.message), error.retry_after);
        break;
    }
}

} // namespace oco::reconcile
