#include "reconcile/connection/reconciliation.hpp"

#include "base/mutation.hpp"
#include "reconcile/connection/answer_table.hpp"
#include "reconcile/connection/locate.hpp"

#include <utility>

namespace oco::reconcile {
namespace {

using omni::Field;

// An attempt that is unanswered for longer is reported in the status.
constexpr rt::Duration silent_for = std::chrono::seconds(1);
// What changes all the time does not keep a worker for ever: the key comes again.
constexpr int most_looks = 32;
// Whose turn to decrypt a key comes is woken; unless too many wait for that.
constexpr rt::Duration ask_again_after = std::chrono::seconds(10);

Result<omni::PreparedCredential> prepare(omni::CredentialKind kind, const SecretBytes& raw,
                                         const SecretBytes* passphrase) {
    switch (kind) {
    case omni::CredentialKind::password:
        return omni::prepare_password(raw);
    case omni::CredentialKind::bigquery_service_account:
        return omni::prepare_service_account(raw);
    case omni::CredentialKind::snowflake_private_key:
        return omni::prepare_private_key(raw, passphrase);
    }
    return make_error(ErrorClass::invalid, "unknown kind of credential");
}

// The target's place among PATCHes under way: left when it goes, which wakes those who wait for it.
class UnderWay {
  public:
    UnderWay(Targets& targets, Target target, std::function<void(const ObjectKey&)> wake)
        : targets_(targets), target_(std::move(target)), wake_(std::move(wake)) {}

    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;

    ~UnderWay() {
        for (const auto& waiting : targets_.leave(target_))
            wake_(waiting);
    }

  private:
    Targets& targets_;
    const Target target_;
    const std::function<void(const ObjectKey&)> wake_;
};

} // namespace

Reconciliation::Reconciliation(ConnectionReconciler& owner, const ObjectKey& key,
                               std::shared_ptr<ConnectionState> state)
    : owner_(owner), services_(owner.services_), key_(key), held_state_(std::move(state)) {}

rt::TimePoint Reconciliation::now() const {
    return services_.runtime.now();
}

TargetState& Reconciliation::fields() const {
    return owner_.targets_.at(state_.target);
}

asio::awaitable<Outcome> Reconciliation::run() {
    for (int looks = 0; looks < most_looks; ++looks) {
        if (auto nowhere = look())
            co_return *nowhere;
        Decision decision = decide(seen_, services_.digest_key, state_, fields());
        if (decision.list)
            request_list(*decision.list);
        for (const auto& found : decision.drift)
            report_drift(found);
        if (auto* end = std::get_if<Finish>(&decision.action))
            co_return std::move(end->outcome);
        if (auto* read = std::get_if<ReadSecret>(&decision.action))
            co_await read_secret(std::move(*read));
        else if (std::holds_alternative<PrepareCredential>(decision.action)) {
            if (auto wait = prepare_credential())
                co_return *wait;
        } else if (auto end = co_await send(std::move(decision)))
            co_return *end;
    }
    Outcome again = transient("the object keeps changing; reconciling again");
    again.requeue_at = now();
    co_return again;
}

// --- look ------------------------------------------------------------------------------------

// Looks again at all that an await may have changed. An outcome: there is nowhere to send anything.
std::optional<Outcome> Reconciliation::look() {
    auto object = owner_.newest(key_, state_);
    if (!object)
        return transient("the object is gone");
    seen_ = owner_.observe(std::move(object));
    if (auto list = follow_spec(seen_, state_))
        request_list(*list);
    Place place = locate(seen_, state_);
    if (place.list)
        request_list(*place.list);
    apply_claims(place.target);
    if (seen_.object->meta.deleting)
        return outcome(reason::progressing,
                       "the object is being deleted; nothing is sent for it any more");
    if (place.outcome)
        return place.outcome;
    seen_.under_way = owner_.targets_.under_way(state_.target);
    if (seen_.under_way)
        owner_.targets_.wait_for(state_.target, key_);
    seen_.pace = owner_.targets_.pace.next(state_.target);
    if (reading_ && !reading_->spent && reading_->has_value && seen_.object->credential)
        reading_->digest =
            credential_digest(services_.digest_key, state_.uid, state_.target,
                              seen_.object->credential->kind, *values_.at(reading_->secret_key));
    seen_.reading = reading_;
    return std::nullopt;
}

// What it applied where it has no claim (any more) is void.
void Reconciliation::apply_claims(const Target& named) {
    if (!named.empty() && named != state_.target) {
        if (!state_.target.empty())
            fields().release_all_but({}, state_.uid);
        state_.turn_to(named);
    }
    owner_.claims_.update(*seen_.object, state_);
    seen_.holders = owner_.claims_.holders(*seen_.object, state_, state_.target);
    if (state_.target.empty())
        return;
    fields().release_all_but(seen_.held(), state_.uid);
}

// --- act -------------------------------------------------------------------------------------

void Reconciliation::request_list(const ListRequest& request) const {
    owner_.instances_.request_list(seen_.object->instance, request);
}

void Reconciliation::report_drift(const DriftFound& found) const {
    services_.metrics.drift_detected(omni::name(found.field));
    if (!found.given_up)
        return;
    const std::string what =
        found.field == Field::base_role ? "base role" : "environment user attribute";
    owner_.writer_.record(seen_.object->meta, kube::EventType::warning, "DriftCorrected", "Drift",
                          "the " + what + " was corrected " +
                              std::to_string(Drift::most_corrections) +
                              " times, but Omni keeps returning another value; it is not corrected "
                              "again until the spec changes or a reconcile is requested");
}

asio::awaitable<void> Reconciliation::read_secret(ReadSecret what) {
    std::vector<std::string> wanted{what.key};
    if (!what.passphrase_key.empty())
        wanted.push_back(what.passphrase_key);
    credential_.reset();
    values_.clear();
    const bool known = owner_.caches_.secrets.get(what.secret) != nullptr;
    auto read =
        co_await services_.secrets.read(what.secret, std::move(wanted), what.not_older_than);
    const auto watched = owner_.caches_.secrets.get(what.secret);
    Reading reading{.secret = what.secret,
                    .secret_key = what.key,
                    .passphrase_key = what.passphrase_key,
                    .kind = what.kind,
                    .watched = watched ? watched->meta.resource_version : std::string()};
    if (!read) {
        reading.error = read.error();
        reading_ = std::move(reading);
        co_return;
    }
    owner_.unseen_.note_read(what.secret, read->meta.resource_version, reading.watched);
    if (!known) {
        owner_.hooks_.secret_seen(read->meta);
        if (owner_.caches_.secrets.get(what.secret)) { // it has not been deleted meanwhile
            if (!watched)
                owner_.unseen_.note_in_view(what.secret);
            reading.watched = read->meta.resource_version;
        }
    }
    reading.meta = std::move(read->meta);
    reading.type = std::move(read->type);
    reading.rotation_id = std::move(read->rotation_id);
    values_ = std::move(read->values);
    reading.has_value = values_.contains(what.key);
    reading.has_passphrase = values_.contains(what.passphrase_key);
    reading_ = std::move(reading);
}

// An outcome: it takes a while, and the key comes again.
std::optional<Outcome> Reconciliation::prepare_credential() {
    const auto kind = seen_.object->credential->kind;
    const SecretBytes& raw = *values_.at(reading_->secret_key);
    const SecretBytes* phrase =
        reading_->has_passphrase ? values_.at(reading_->passphrase_key).get() : nullptr;
    const bool slow = kind == omni::CredentialKind::snowflake_private_key && phrase != nullptr &&
                      omni::derivation_cost(raw) != omni::DerivationCost::none;
    std::optional<Result<omni::PreparedCredential>> prepared;
    if (slow)
        prepared = owner_.derivations_.get(key_, raw, *phrase);
    else
        prepared = prepare(kind, raw, phrase);
    if (!prepared) {
        Outcome wait = transient("the private key is being decrypted, or waits for its turn");
        wait.requeue_at = now() + ask_again_after;
        return wait;
    }
    Preparation result;
    if (*prepared) {
        result.ends_in_newline = (*prepared)->ends_in_newline;
        credential_ = std::move(**prepared);
    } else {
        result.error = prepared->error().message;
    }
    reading_->prepared = std::move(result);
    return std::nullopt;
}

omni::Update Reconciliation::make_update(const FieldSet& sent) const {
    omni::Update update;
    if (sent.contains(Field::credential)) {
        SecretBytes value = credential_->value.clone();
        if (seen_.object->credential->kind == omni::CredentialKind::snowflake_private_key)
            update.private_key = std::move(value);
        else
            update.password = std::move(value);
    }
    if (sent.contains(Field::base_role))
        update.base_role = seen_.object->base_role;
    if (sent.contains(Field::environment_user_attribute))
        update.environment_user_attribute = seen_.object->environment_user_attribute;
    return update;
}

// An outcome: it could not be sent now.
asio::awaitable<std::optional<Outcome>> Reconciliation::send(Decision decision) {
    const Send what = std::get<Send>(decision.action);
    PendingPush push{.key = key_,
                     .meta = seen_.object->meta,
                     .instance = seen_.instance->meta.key,
                     .target = state_.target,
                     .send = what,
                     .digest = combined_digest(decision.digests, what.fields),
                     .client = seen_.view->client};
    if (auto wait = owner_.sender_->admit(push, now())) {
        waits_at_ = std::move(push.waits_at);
        if (!decision.problem || decision.problem->readiness <= wait->readiness)
            co_return wait;
        decision.problem->requeue_at = wait->requeue_at;
        co_return decision.problem;
    }
    state_.retry.attempted = true;
    state_.vouched_through = push.instance;
    owner_.targets_.enter(push.target);
    const UnderWay under_way(owner_.targets_, push.target, owner_.hooks_.requeue);
    for (const Field field : what.fields)
        fields()[field].begin_sending(state_.uid, decision.digests.at(field));
    if (mutated("applied-before-push")) {
        note_accepted(decision, what.fields);
        co_await owner_.record_now(key_, state_);
        for (const Field field : what.fields)
            fields()[field].begin_sending(state_.uid, decision.digests.at(field));
    }
    owner_.targets_.pace.pushed(push.target, now());
    auto answer = co_await deliver(push, make_update(what.fields));
    if (reading_ && what.fields.contains(Field::credential)) {
        reading_->spent = true;
        values_.clear();
        credential_.reset();
    }
    std::optional<Error> failure;
    if (!answer)
        failure = answer.error();
    if (failure && failure->http_status == 0 && mutated("unknown-counts-as-applied"))
        failure.reset();
    push.request->over(failure);
    for (const Field field : what.fields)
        services_.metrics.push(push.instance.str(), omni::name(field),
                               failure ? meaning_of(*failure).result : "success");
    if (failure) {
        note_failed(decision, what.fields, *failure);
    } else {
        note_accepted(decision, what.fields);
        owner_.instances_.omni_answers(*push.client->account);
    }
    co_return std::nullopt;
}

// Runs the PATCH beside a clock: after a second without an answer the status says so.
asio::awaitable<Result<void>> Reconciliation::deliver(PendingPush& push, omni::Update update) {
    struct Shared {
        explicit Shared(rt::Runtime& runtime) : done(runtime) {}

        rt::Event done;
        std::optional<Result<void>> result;
    };

    const auto shared = std::make_shared<Shared>(services_.runtime);
    constexpr auto run_patch = [](std::shared_ptr<Shared> out, Sender& sender,
                                  std::shared_ptr<AccountClient> with, std::string id,
                                  omni::Update what) -> asio::awaitable<void> {
        out->result = co_await sender.deliver(std::move(with), std::move(id), std::move(what));
        out->done.notify();
    };
    owner_.tasks_.spawn(run_patch(shared, *owner_.sender_, push.client, push.target.connection_id,
                                  std::move(update)));
    co_await shared->done.wait_until(services_.runtime, now() + silent_for);
    if (!shared->result) {
        for (const Field field : push.send.fields)
            fields()[field].note_silence();
        co_await report_silence();
    }
    while (!shared->result)
        co_await shared->done.wait();
    co_return *shared->result;
}

asio::awaitable<void> Reconciliation::report_silence() {
    state_.outcome = outcome(reason::progressing, "sent; waiting for Omni's response");
    state_.status.observed_generation = seen_.object->meta.generation;
    kube::set_conditions(state_.status.conditions,
                         conditions_of(state_.outcome, seen_.object->meta.generation),
                         services_.runtime.wall_now());
    co_await owner_.record_now(key_, state_);
}

} // namespace oco::reconcile
