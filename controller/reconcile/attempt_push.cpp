// An Attempt's PATCH, and what its answer means.
#include "base/log.hpp"
#include "base/mutation.hpp"
#include "reconcile/attempt.hpp"
#include "rt/backoff.hpp"

#include <algorithm>
#include <stdexcept>

namespace oco::reconcile {
namespace {

using omni::Field;

constexpr rt::BackoffPolicy push_backoff{.first = std::chrono::seconds(1),
                                         .longest = std::chrono::minutes(5)};
// An attempt that is unanswered for longer is told in the status.
constexpr rt::Duration silent_for = std::chrono::seconds(1);

std::string_view push_result(const Error& error) {
    switch (error.kind) {
    case ErrorClass::refused:
    case ErrorClass::invalid:
        return "rejected";
    case ErrorClass::unauthorized:
    case ErrorClass::forbidden:
    case ErrorClass::not_found:
        return "refused";
    case ErrorClass::rate_limited:
        return "rate_limited";
    default:
        return error.sent == Sent::maybe && error.http_status == 0 ? "unknown" : "unavailable";
    }
}

// No answer, or one of a proxy that gave up on a server which may still be at work.
bool may_land_late(const Error& error) {
    return error.http_status == 0 || error.http_status == 408 || error.http_status == 502 ||
           error.http_status == 504;
}

} // namespace

omni::Update Attempt::make_update(const FieldSet& fields) {
    omni::Update update;
    if (fields.contains(Field::credential)) {
        SecretBytes value = credential_->value.clone();
        if (object_->credential->kind == omni::CredentialKind::snowflake_private_key)
            update.private_key = std::move(value);
        else
            update.password = std::move(value);
    }
    if (fields.contains(Field::base_role))
        update.base_role = object_->base_role;
    if (fields.contains(Field::environment_user_attribute))
        update.environment_user_attribute = object_->environment_user_attribute;
    return update;
}

asio::awaitable<Outcome> Attempt::push() {
    const ObjectKey key = object_->meta.key;
    const auto session = instance_state_->session;
    if (session->host != target_.host) // nothing may go where the plan did not mean it to
        throw std::logic_error("the session is not the target's");
    if (!owner_.in_flight_.enter(target_, key)) {
        co_return momentary("another field of the connection is being sent");
    }
    const InFlightPass pass(owner_, target_);
    const auto priority =
        choice_.contains(Field::credential) ? work::Priority::credential : work::Priority::settings;
    const auto slot = session->gate->enter(key.str(), priority,
                                           [&owner = owner_, key] { owner.hooks_.again(key); });
    if (!slot)
        co_return outcome(reason::rate_limited,
                          "waiting for a free slot of the key's requests per minute");
    if (!services_.leadership.may_send() && !mutated("lease-unchecked")) {
        session->gate->unused(*slot);
        Outcome waiting = momentary("the Lease must be renewed before sending");
        waiting.again = services_.runtime.now() + silent_for;
        co_return waiting;
    }
    const FieldSet fields = choice_;
    const FieldSet unknown_before = memory_.unknown;
    memory_.unknown.insert(fields.begin(), fields.end());
    memory_.in_flight = fields;
    // If this is cut, the status has to say for which target.
    status_.unanswered = unanswered_fields(memory_, *object_, services_.runtime.now());
    memory_.status = status_;
    if (mutated("applied-before-push")) {
        note_accepted(fields);
        memory_.status = status_;
        co_await owner_.write_status(key, memory_);
    }
    auto answer = co_await call(session, make_update(fields));
    memory_.in_flight.clear();
    std::optional<Error> failure;
    if (!answer)
        failure = answer.error();
    if (failure && failure->http_status == 0 && mutated("unknown-counts-as-applied"))
        failure.reset();
    settle_slot(services_, *session->gate, *slot, failure, instance_->meta.key);
    for (const Field field : fields)
        services_.metrics.push(instance_->meta.key.str(), omni::name(field),
                               failure ? push_result(*failure) : "success");

    if (!failure || failure->sent == Sent::no)
        memory_.unknown = unknown_before;
    if (failure)
        co_return note_failed(fields, *failure);
    note_accepted(fields);
    co_return after_accepted(fields);
}

// Fields that were left out of this PATCH had been refused together with it.
Outcome Attempt::after_accepted(const FieldSet& fields) {
    for (const Field field : culprit(pending_, fields, digests_, memory_.refusals))
        memory_.refusals.add(combined_digest(digests_, {field}));
    for (const Field field : fields)
        pending_.erase(field);
    if (pending_.empty())
        return conclude();
    const Choice rest = choose(pending_, digests_, memory_.refusals);
    if (rest.send.empty()) {
        status_.rejected = api::Rejected{.generation = object_->meta.generation,
                                         .digest = combined_digest(digests_, rest.blocked)};
        return outcome(reason::rejected, memory_.refusal_message);
    }
    Outcome more = momentary("sending the other fields");
    more.again = services_.runtime.now();
    return more;
}

// Runs the PATCH beside a clock: after a second without an answer the status says so.
asio::awaitable<Result<void>> Attempt::call(std::shared_ptr<Session> session, omni::Update update) {
    struct Shared {
        explicit Shared(rt::Runtime& runtime) : done(runtime) {}

        rt::Event done;
        std::optional<Result<void>> result;
    };

    const auto shared = std::make_shared<Shared>(services_.runtime);
    constexpr auto run_patch = [](std::shared_ptr<Shared> out, std::shared_ptr<Session> with,
                                  std::string id, omni::Update what) -> asio::awaitable<void> {
        out->result = co_await with->omni.update_connection(std::move(id), std::move(what));
        out->done.notify();
    };
    owner_.tasks_.spawn(run_patch(shared, session, target_.connection_id, std::move(update)));
    co_await shared->done.wait_until(services_.runtime, services_.runtime.now() + silent_for);
    if (!shared->result) {
        memory_.outcome = outcome(reason::progressing, "sent; waiting for Omni's answer");
        for (const Field field : memory_.in_flight) { // what Omni holds is not known now
            memory_.status.unanswered.insert(field);
            forget_applied(memory_.status.applied, field);
        }
        memory_.status.observed_generation = object_->meta.generation;
        kube::set_conditions(memory_.status.conditions,
                             conditions_of(memory_.outcome, object_->meta.generation),
                             services_.runtime.wall_now());
        co_await owner_.write_status(object_->meta.key, memory_);
    }
    while (!shared->result)
        co_await shared->done.wait();
    co_return *shared->result;
}

Outcome Attempt::retry_later(std::string_view reason, std::string message) {
    ++memory_.failures;
    memory_.next_attempt =
        services_.runtime.now() + rt::backoff(services_.runtime, push_backoff, memory_.failures);
    Outcome out = outcome(reason, std::move(message));
    out.again = memory_.next_attempt;
    return out;
}

// Whether a value that Omni just accepted stays: not while an earlier attempt with another value
// may still land. Then it is sent again once that is over.
bool Attempt::counts_as_applied(Field field) {
    const std::string& digest = digests_.at(field);
    const auto now = services_.runtime.now();
    const auto settling = memory_.settling.find(field);
    const bool settled = settling != memory_.settling.end() && settling->second.digest == digest &&
                         now >= settling->second.due;
    if (mutated("late-values-forgotten") && !memory_.settling.contains(field))
        memory_.late.clear();
    if (memory_.late.contest(field, digest, now) && !settled && !mutated("no-settling")) {
        memory_.unknown.insert(field);
        forget_applied(status_.applied, field);
        memory_.settling[field] = {.digest = digest, .due = now + LateValues::may_land_for};
        return false;
    }
    memory_.unknown.erase(field);
    memory_.settling.erase(field);
    return true;
}

void Attempt::note_accepted(const FieldSet& fields) {
    const std::string now_text = format_rfc3339(services_.runtime.wall_now());
    status_.last_push_time = now_text;
    if (memory_.force_token != object_->force_requested_at) {
        memory_.force_token = object_->force_requested_at;
        memory_.forced.clear();
    }
    memory_.forced.insert(fields.begin(), fields.end());
    if (fields.contains(Field::credential)) {
        if (counts_as_applied(Field::credential))
            status_.applied.credential =
                api::AppliedCredential{.secret_name = object_->credential->secret.name,
                                       .secret_key = object_->credential->secret.key,
                                       .secret_uid = read_->meta.uid,
                                       .secret_resource_version = read_->meta.resource_version,
                                       .rotation_id = read_->rotation_id,
                                       .digest = digests_.at(Field::credential),
                                       .key_id = services_.digest_key.id,
                                       .pushed_at = now_text};
        if (memory_.secret_changed_at)
            services_.metrics.rotation_latency(
                ops::Seconds(services_.runtime.now() - *memory_.secret_changed_at));
        memory_.secret_changed_at.reset();
        owner_.writer_.record(object_->meta, kube::EventType::normal, "CredentialPushed", "Push",
                              "Omni accepted the credential from Secret " + read_->meta.key.name +
                                  ", version " + read_->meta.resource_version);
        if (credential_->ends_in_newline)
            owner_.writer_.record(object_->meta, kube::EventType::warning, "PasswordEndsInNewline",
                                  "Push",
                                  "the password in Secret " + read_->meta.key.name +
                                      " ends in a line break, which was sent as part of it; "
                                      "`echo -n` avoids that");
    }
    if (fields.contains(Field::base_role)) {
        if (counts_as_applied(Field::base_role))
            status_.applied.base_role =
                api::AppliedBaseRole{.value = *object_->base_role, .pushed_at = now_text};
        owner_.writer_.record(object_->meta, kube::EventType::normal, "BaseRoleUpdated", "Push",
                              "Omni accepted base role " + *object_->base_role);
    }
    if (fields.contains(Field::environment_user_attribute)) {
        if (counts_as_applied(Field::environment_user_attribute))
            status_.applied.environment_user_attribute = api::AppliedEnvironmentUserAttribute{
                .value = *object_->environment_user_attribute, .pushed_at = now_text};
        owner_.writer_.record(object_->meta, kube::EventType::normal,
                              "EnvironmentUserAttributeUpdated", "Push",
                              "Omni accepted the environment user attribute");
    }
    status_.rejected.reset();
    for (const Field field : fields)
        log::info("pushed", {{"object", object_->meta.key.str()},
                             {"field", std::string(omni::name(field))},
                             {"host", target_.host},
                             {"connection", target_.connection_id}});
}

Outcome Attempt::note_failed(const FieldSet& fields, const Error& error) {
    if (error.sent == Sent::maybe) // Omni may hold either value now
        for (const Field field : fields) {
            forget_applied(status_.applied, field);
            memory_.settling.erase(field);
            if (may_land_late(error))
                memory_.late.note(field, digests_.at(field), services_.runtime.now());
        }
    const auto now = services_.runtime.now();
    switch (error.kind) {
    case ErrorClass::refused:
    case ErrorClass::invalid:
        return note_refused(fields, error);
    case ErrorClass::unauthorized:
    case ErrorClass::forbidden: {
        memory_.key_refused_at = now;
        memory_.key_refused_message = error.message;
        owner_.instances_.doubt_key(instance_->meta.key, error);
        return momentary("Omni refused; the key is being checked");
    }
    case ErrorClass::not_found:
        memory_.not_found_at = now;
        memory_.lookup_since = now;
        owner_.instances_.want_directory(instance_->meta.key);
        if (object_->connection_id.empty())
            status_.connection_id.clear(); // a name may mean another connection now
        return retry_later(reason::connection_not_found,
                           "Omni does not know the connection (any more), or the key may not see "
                           "it. " +
                               error.message);
    case ErrorClass::rate_limited: {
        Outcome limited = outcome(reason::rate_limited, error.message);
        limited.again = now; // queues at the gate
        return limited;
    }
    case ErrorClass::tls:
        return retry_later(reason::tls_verification_failed, error.message);
    default:
        return retry_later(reason::omni_unavailable, error.message);
    }
}

Outcome Attempt::note_refused(const FieldSet& fields, const Error& error) {
    memory_.refusals.add(combined_digest(digests_, fields));
    memory_.refusal_message = error.message;
    const Choice next = choose(pending_, digests_, memory_.refusals);
    if (!next.send.empty()) { // not all of it need be wrong
        Outcome more = momentary("Omni refused the fields together; sending them "
                                 "one by one");
        more.again = services_.runtime.now();
        return more;
    }
    status_.rejected = api::Rejected{.generation = object_->meta.generation,
                                     .digest = combined_digest(digests_, next.blocked)};
    return outcome(reason::rejected, error.message);
}

} // namespace oco::reconcile
