// A Reconciliation's PATCH: its turn, and the request; in a dry run, words in its place.
#include "base/log.hpp"
#include "base/mutation.hpp"
#include "reconcile/account/granted_request.hpp"
#include "reconcile/connection/reconciliation.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace oco::reconcile {
namespace {

using omni::Field;

// An attempt that is unanswered for longer is told in the status.
constexpr rt::Duration silent_for = std::chrono::seconds(1);
// The scheduler wakes who waits; the time of its turn is estimated again no more often than this.
constexpr rt::Duration shortest_estimate = std::chrono::minutes(1);

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

} // namespace

omni::Update Reconciliation::make_update(const FieldSet& fields) {
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

work::RequestClass Reconciliation::request_class() const {
    if (std::ranges::all_of(choice_, [&](Field field) { return state_.drift.corrects(field); }))
        return work::RequestClass::drift_correction;
    if (!choice_.contains(Field::credential))
        return work::RequestClass::settings;
    return status_.last_push_time.empty() ? work::RequestClass::new_object
                                          : work::RequestClass::rotation;
}

Reconciliation::Step Reconciliation::check_pace() {
    const auto next = owner_.pace_.next(target_);
    if (next <= services_.runtime.now())
        return std::nullopt;
    Outcome waiting = outcome(reason::rate_limited,
                              "it changes very often: after " + std::to_string(PushPace::burst) +
                                  " pushes in a row, one connection gets one every 5 seconds");
    waiting.requeue_at = next;
    return waiting;
}

// The key waits for the scheduler; why, and about how long.
Outcome Reconciliation::queued() {
    waits_at_ = instance_state_->client->account;
    work::RequestScheduler& scheduler = waits_at_->scheduler;
    const auto now = services_.runtime.now();
    const auto turn = scheduler.estimate(object_->meta.key.str());
    Outcome waiting =
        scheduler.breaker_open()
            ? outcome(reason::omni_unavailable,
                      "requests for several connections failed in a row; one at a time is sent "
                      "until Omni answers again, and then this")
        : scheduler.paused_until() > now
            ? outcome(reason::rate_limited, "Omni answered 429, too many requests: nothing is sent "
                                            "with this key for a while")
            : outcome(reason::rate_limited, "waiting for its turn: the key's requests per minute "
                                            "are spent; status.nextAttemptTime is an estimate");
    waiting.expected = turn;
    waiting.requeue_at =
        now + std::max(shortest_estimate, (turn - now) / 2); // only to estimate again
    waiting.transient = turn <= now + silent_for;
    return waiting;
}

asio::awaitable<Outcome> Reconciliation::push() {
    const ObjectKey key = object_->meta.key;
    const auto client = instance_state_->client;
    if (client->host != target_.host) // nothing may go where the plan did not mean it to
        throw std::logic_error("the client is not the target's");
    if (!owner_.in_flight_.enter(target_, key))
        co_return transient("another field of the connection is being sent");
    const InFlightPass pass(owner_, target_);
    if (auto end = check_pace())
        co_return *end;
    work::RequestScheduler& scheduler = client->account->scheduler;
    const auto grant =
        scheduler.acquire({.key = key.str(), .flow = key.ns, .request_class = request_class()},
                          [&owner = owner_, key] { owner.hooks_.requeue(key); });
    if (!grant)
        co_return queued();
    if (!services_.leadership.may_send() && !mutated("lease-unchecked")) {
        scheduler.give_back(*grant);
        Outcome waiting = transient("the Lease must be renewed before sending");
        waiting.requeue_at = services_.runtime.now() + silent_for;
        co_return waiting;
    }
    GrantedRequest request(services_, client->account, *grant, instance_->meta.key);
    const FieldSet fields = choice_;
    const FieldSet unknown_before = state_.unknown;
    state_.unknown.insert(fields.begin(), fields.end());
    state_.in_flight = fields;
    // If this is cut, the status has to say for which target.
    status_.unanswered = unanswered_fields(state_, *object_, services_.runtime.now());
    state_.status = status_;
    if (mutated("applied-before-push")) {
        note_accepted(fields);
        state_.status = status_;
        co_await owner_.write_status(key, state_);
    }
    owner_.pace_.pushed(target_, services_.runtime.now());
    auto answer = co_await call(client, make_update(fields));
    state_.in_flight.clear();
    std::optional<Error> failure;
    if (!answer)
        failure = answer.error();
    if (failure && failure->http_status == 0 && mutated("unknown-counts-as-applied"))
        failure.reset();
    request.over(failure);
    for (const Field field : fields)
        services_.metrics.push(instance_->meta.key.str(), omni::name(field),
                               failure ? push_result(*failure) : "success");

    if (!failure || failure->sent == Sent::no)
        state_.unknown = unknown_before;
    if (failure)
        co_return note_failed(fields, *failure);
    note_accepted(fields);
    co_return after_accepted(fields);
}

// What would be sent, once for each set of values: its digest covers the fields, their values and
// the target.
Outcome Reconciliation::report_dry_run() {
    const std::string push = describe_push(choice_, target_);
    const std::string digest = combined_digest(digests_, choice_);
    if (std::exchange(state_.told, digest) != digest) {
        log::info("dry run", {{"object", object_->meta.key.str()}, {"message", push}});
        owner_.writer_.record(object_->meta, kube::EventType::normal, reason::dry_run, "DryRun",
                              push);
    }
    problems_.push_back(outcome(reason::dry_run, push));
    return conclude();
}

// Runs the PATCH beside a clock: after a second without an answer the status says so.
asio::awaitable<Result<void>> Reconciliation::call(std::shared_ptr<AccountClient> client,
                                                   omni::Update update) {
    struct Shared {
        explicit Shared(rt::Runtime& runtime) : done(runtime) {}

        rt::Event done;
        std::optional<Result<void>> result;
    };

    const auto shared = std::make_shared<Shared>(services_.runtime);
    constexpr auto run_patch = [](std::shared_ptr<Shared> out, std::shared_ptr<AccountClient> with,
                                  std::string id, omni::Update what) -> asio::awaitable<void> {
        out->result = co_await with->omni.update_connection(std::move(id), std::move(what));
        out->done.notify();
    };
    owner_.tasks_.spawn(run_patch(shared, client, target_.connection_id, std::move(update)));
    co_await shared->done.wait_until(services_.runtime, services_.runtime.now() + silent_for);
    if (!shared->result) {
        state_.outcome = outcome(reason::progressing, "sent; waiting for Omni's answer");
        for (const Field field : state_.in_flight) { // what Omni holds is not known now
            state_.status.unanswered.insert(field);
            forget_applied(state_.status.applied, field);
        }
        state_.status.observed_generation = object_->meta.generation;
        kube::set_conditions(state_.status.conditions,
                             conditions_of(state_.outcome, object_->meta.generation),
                             services_.runtime.wall_now());
        co_await owner_.write_status(object_->meta.key, state_);
    }
    while (!shared->result)
        co_await shared->done.wait();
    co_return *shared->result;
}

} // namespace oco::reconcile
