#include "reconcile/connection/connection_reconciler.hpp"

#include "base/log.hpp"
#include "reconcile/connection/locate.hpp"
#include "reconcile/connection/reconciliation.hpp"
#include "reconcile/connection/record.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {
namespace {

// A transient outcome becomes visible after this long.
constexpr rt::Duration transient_limit = std::chrono::seconds(1);
// nextAttemptTime moves by jitter all the time: it is rewritten when it is off by more than this.
constexpr std::chrono::seconds next_attempt_tolerance(60);
constexpr unsigned forgotten_before_sweep = 256;

std::unique_ptr<Sender> make_sender(Services& services, StatusWriter& writer,
                                    std::function<void(const ObjectKey&)> wake) {
    if (services.settings.dry_run)
        return std::make_unique<DryRunSender>(writer);
    return std::make_unique<OmniSender>(services, std::move(wake));
}

} // namespace

ConnectionReconciler::ConnectionReconciler(Services services, const Caches& caches,
                                           InstanceReconciler& instances, rt::TaskGroup& tasks,
                                           Hooks hooks)
    : services_(services), caches_(caches), instances_(instances), tasks_(tasks),
      hooks_(std::move(hooks)),
      writer_(services_, kube::resources::omni_connections, "OmniConnection", hooks_.requeue_at),
      sender_(make_sender(services_, writer_, hooks_.requeue)),
      claims_(services_, caches_, instances_, states_, hooks_.requeue),
      derivations_(services_.runtime, tasks_, hooks_.requeue) {}

// --- what changes ------------------------------------------------------------------------------

void ConnectionReconciler::begin() {
    targets_.suspect_until(services_.runtime.now() + may_land_for, unsettled_before());
    for (const auto& [key, object] : caches_.connections.objects())
        restore(*object);
    begun_ = true;
    claims_.begin();
    for (const auto& [key, object] : caches_.connections.objects())
        claims_.update(*object, *states_.at(key));
}

// Where something that the process before sent may still be carried out, as Targets::unsettled()
// has it, for whichever object.
std::string_view ConnectionReconciler::unsettled_before() const {
    const Leadership& leadership = services_.leadership;
    if (leadership.all_is_recorded())
        return leadership.unsettled;
    const bool somebody_was = leadership.takeover != kube::Takeover::none || had_predecessor();
    return somebody_was ? Targets::everywhere : std::string_view();
}

// Where the Lease does not tell. Without one there is nothing but the digest key to show that a
// process of ours was here, if all objects are new.
bool ConnectionReconciler::had_predecessor() const {
    const auto looked_at = [](const auto& entry) {
        return entry.second->status.observed_generation >= 0;
    };
    return std::ranges::any_of(caches_.connections.objects(), looked_at) ||
           std::ranges::any_of(caches_.instances.objects(), looked_at) ||
           (services_.leadership.elector == nullptr && !services_.digest_key.created);
}

void ConnectionReconciler::object_changed(const ObjectKey& key, const api::OmniConnection* object) {
    if (!begun_)
        return;
    if (object == nullptr) {
        sender_->forget(key); // what a dry run has reported, it has, whatever the status says then
        return forget(key);
    }
    const auto state = remember(*object);
    drop_pin_of_another(*state, *object);
    claims_.update(*object, *state);
}

void ConnectionReconciler::status_delivered(const api::OmniConnection& object) {
    const auto known = states_.find(object.meta.key);
    if (known == states_.end() || known->second->uid != object.meta.uid)
        return;
    if (services_.statuses.authority() == StatusSink::Authority::ours)
        return writer_.delivered(object, known->second->schedule);
    // Another operator may have pushed meanwhile: what it says counts.
    if (known->second->restored == fingerprint_of(object.status))
        return;
    const Announced announced = known->second->announced;
    restore(object)->announced = announced;
    hooks_.requeue(object.meta.key);
}

void ConnectionReconciler::instance_changed(const ObjectKey& instance, const std::string& only_in) {
    if (!begun_)
        return;
    for (const auto& key : caches_.connections_by_instance.users_of(instance)) {
        if (!only_in.empty() && key.ns != only_in)
            continue;
        const auto object = caches_.connections.get(key);
        const auto state = states_.find(key);
        if (!object || state == states_.end() || state->second->uid != object->meta.uid)
            continue;
        if (!object->connection_name.empty() && state->second->pin.id.empty())
            locate(observe(object), *state->second);
        claims_.update(*object, *state->second);
    }
}

void ConnectionReconciler::secret_changed(const ObjectKey& key) {
    if (const auto known = states_.find(key); known != states_.end())
        if (!known->second->secret_changed_at)
            known->second->secret_changed_at = services_.runtime.now();
}

// --- what is known -----------------------------------------------------------------------------

std::shared_ptr<ConnectionState> ConnectionReconciler::remember(const api::OmniConnection& object) {
    const auto known = states_.find(object.meta.key);
    if (known != states_.end() && known->second->uid == object.meta.uid)
        return known->second;
    return restore(object);
}

// What the object's status says to a process that knows nothing of it.
std::shared_ptr<ConnectionState> ConnectionReconciler::restore(const api::OmniConnection& object) {
    forget(object.meta.key);
    auto state = std::make_shared<ConnectionState>();
    state->uid = object.meta.uid;
    state->status = StatusWriter::adopt(object, state->schedule, state->announced);
    state->restored = fingerprint_of(object.status);
    state->vouched.written(object.status);
    if (object.status.observed_generation == object.meta.generation)
        state->vouched_through = object.instance;
    state->target = object.status.applied.target;
    restore_pin(*state, object);
    // Others may have sent since it was last seen: its namespace could not be read for a while.
    const bool came_later = begun_ &&
                            services_.statuses.authority() == StatusSink::Authority::ours &&
                            targets_.may_have_been_sent_to(object.status.applied.target);
    std::shared_ptr<const kube::SecretMeta> secret;
    if (object.credential)
        secret =
            caches_.secrets.get({.ns = object.meta.key.ns, .name = object.credential->secret.name});
    restore_fields(targets_, object, services_.digest_key,
                   {.all_is_recorded = services_.leadership.all_is_recorded(),
                    .rewound = services_.leadership.rewound || came_later,
                    .secret = secret ? &secret->meta : nullptr,
                    .secret_is_newer = !begun_},
                   services_.runtime.now());
    if (services_.statuses.authority() == StatusSink::Authority::theirs)
        // What was listed before says nothing of what is in Omni now.
        for (const omni::Field setting :
             {omni::Field::base_role, omni::Field::environment_user_attribute})
            state->drift.pushed(setting, services_.runtime.now());
    // A spec that was in step is in step with this kind.
    const auto* ready = kube::find_condition(object.status.conditions, "Ready");
    if (object.credential && ready != nullptr && ready->status == "True" &&
        object.status.observed_generation == object.meta.generation)
        state->compared_kind = object.credential->kind;
    restore_retry(object, *state);
    restore_pace(object.status);
    states_.emplace(object.meta.key, state);
    return state;
}

// A restart goes on waiting where the last process left off, within reason.
void ConnectionReconciler::restore_retry(const api::OmniConnection& object,
                                         ConnectionState& state) const {
    state.retry.failures = static_cast<int>(object.status.failures);
    const auto next = parse_rfc3339(object.status.next_attempt_time);
    const auto* ready = kube::find_condition(object.status.conditions, "Ready");
    // Of other waits, for a turn for instance, the time was an estimate.
    const bool failed =
        state.retry.failures > 0 || (ready != nullptr && ready->reason == reason::forbidden);
    if (!next || ready == nullptr || !failed)
        return;
    const rt::Duration left = *next - services_.runtime.wall_now();
    state.retry.next_attempt =
        services_.runtime.now() + std::clamp(left, rt::Duration::zero(), push_backoff.longest);
    state.retry.why = outcome(ready->reason, ready->message);
}

// How often the process before sent to the connection is not known, only when it last did.
void ConnectionReconciler::restore_pace(const api::OmniConnection::Status& status) {
    const auto last = parse_rfc3339(status.last_push_time);
    if (!last)
        return;
    const rt::Duration ago =
        std::max<rt::Duration>(services_.runtime.wall_now() - *last, rt::Duration::zero());
    if (ago < PushPace::burst * PushPace::interval)
        targets_.pace.assume_spent(status.applied.target, services_.runtime.now() - ago);
}

// The object is gone, or another has its name. What it sent, and nobody answered, stays known.
void ConnectionReconciler::forget(const ObjectKey& key) {
    const auto known = states_.find(key);
    if (known == states_.end())
        return;
    const auto state = known->second;
    states_.erase(known);
    if (auto* fields = targets_.find(state->target))
        fields->release_all_but({}, state->uid);
    wait_only_at(key, *state, nullptr);
    derivations_.forget(key);
    claims_.erase(key, *state);
    sweep_targets();
}

void ConnectionReconciler::sweep_targets() {
    if (++forgotten_ % forgotten_before_sweep != 0)
        return;
    std::set<Target> kept;
    for (const auto& [key, state] : states_)
        kept.insert(state->target);
    targets_.sweep(kept, services_.runtime.now());
}

void ConnectionReconciler::wait_only_at(const ObjectKey& key, ConnectionState& state,
                                        std::shared_ptr<Account> at) {
    if (state.waits_at && state.waits_at != at)
        state.waits_at->scheduler.cancel(key.str());
    state.waits_at = std::move(at);
}

std::shared_ptr<const api::OmniConnection>
ConnectionReconciler::newest(const ObjectKey& key, const ConnectionState& state) const {
    auto object = caches_.connections.get(key);
    return object && object->meta.uid == state.uid ? object : nullptr;
}

Observation ConnectionReconciler::observe(std::shared_ptr<const api::OmniConnection> object) {
    Observation seen{.now = services_.runtime.now(),
                     .wall_now = services_.runtime.wall_now(),
                     .operator_namespace = services_.settings.operator_namespace,
                     .digest_key_id = services_.digest_key.id};
    const ObjectKey& instance = object->instance;
    seen.namespace_watched = caches_.watches(instance.ns, services_.settings);
    for (const auto& ns : {object->meta.key.ns, instance.ns})
        if (const auto* unread = caches_.unread_in(ns); unread != nullptr && !seen.unread)
            seen.unread = {ns, *unread};
    seen.instance = caches_.instances.get(instance);
    if (const auto* watcher = caches_.namespace_watcher; watcher != nullptr && !watcher->synced())
        seen.namespaces_trouble = watcher->trouble();
    if (seen.instance) {
        seen.allowed = allowance(caches_, *seen.instance, object->meta.key.ns);
        auto view = instances_.view(instance);
        if (view && view->is_of(*seen.instance))
            seen.view = std::move(view);
    }
    if (seen.view && seen.view->client)
        seen.breaker_open = seen.view->client->account->scheduler.breaker_open();
    if (object->credential) {
        const ObjectKey secret{.ns = object->meta.key.ns, .name = object->credential->secret.name};
        if (const auto watched = caches_.secrets.get(secret)) {
            seen.watched_secret = watched->meta;
            seen.watch_is_current =
                unseen_.watch_is_current(secret, watched->meta.resource_version);
        }
    }
    seen.object = std::move(object);
    return seen;
}

// --- one reconcile -----------------------------------------------------------------------------

asio::awaitable<void> ConnectionReconciler::reconcile(ObjectKey key) {
    const auto object = caches_.connections.get(key);
    if (!object) {
        forget(key);
        co_return;
    }
    const auto started = services_.runtime.now();
    const auto state = remember(*object);
    Reconciliation reconciliation(*this, key, state);
    Outcome result = co_await reconciliation.run();
    // What is over in a moment does not cost the key its place in the line.
    if (reconciliation.waits_at() || !result.transient)
        wait_only_at(key, *state, reconciliation.waits_at());
    co_await finish(key, state, result);
    services_.metrics.reconciled("OmniConnection",
                                 result.readiness == Readiness::ready ? "success" : "failure",
                                 ops::Seconds(services_.runtime.now() - started));
}

void ConnectionReconciler::describe_fields(const api::OmniConnection& object,
                                           const ConnectionState& state,
                                           api::OmniConnection::Status& status) const {
    record_fields(status, object, state.target, targets_.find(state.target),
                  services_.runtime.now());
    const bool by_name = object.connection_id.empty();
    status.connection_id = by_name ? state.pin.id : object.connection_id;
    status.resolved_from = by_name && !state.pin.id.empty() ? resolved_from(object) : "";
}

asio::awaitable<void>
ConnectionReconciler::finish(ObjectKey key, std::shared_ptr<ConnectionState> held, Outcome result) {
    ConnectionState& state = *held;
    const auto object = newest(key, state);
    if (!object)
        co_return;
    const auto now = services_.runtime.now();
    api::OmniConnection::Status next = state.status;
    describe_fields(*object, state, next);
    if (result.transient) {
        if (!state.waiting_since)
            state.waiting_since = now;
        const auto visible_at = *state.waiting_since + transient_limit;
        if (now < visible_at) {
            hooks_.requeue_at(key, std::min(visible_at, result.requeue_at.value_or(visible_at)));
            // What was learnt stays; the conditions say it when it lasts. But what Omni accepted is
            // recorded at once.
            if (next.applied == state.status.applied && next.unanswered == state.status.unanswered)
                co_return;
            // Of the spec that it was about, not of the present one. That all is in step can't be
            // said beside it any more: what was applied may be what was lost.
            if (!state.outcome.reason.empty() && state.outcome.readiness != Readiness::ready) {
                describe_fields(*object, state, state.status);
                co_await write_status(key, state);
                co_return;
            }
        }
    } else {
        state.waiting_since.reset();
    }
    if (result.readiness == Readiness::ready)
        sender_->forget(key);
    next.observed_generation = object->meta.generation;
    next.failures = state.retry.failures;
    next.next_attempt_time = next_attempt_text(state, result);
    if (!result.transient) {
        next.last_handled_reconcile_at = object->reconcile_requested_at;
        const bool concluded =
            result.readiness == Readiness::ready || result.readiness == Readiness::stalled;
        if (concluded && !state.force_pending)
            next.last_handled_force_at = object->force_requested_at;
    }
    kube::set_conditions(next.conditions, conditions_of(result, object->meta.generation),
                         services_.runtime.wall_now());
    state.outcome = result;
    state.status = std::move(next);
    if (result.requeue_at)
        hooks_.requeue_at(key, *result.requeue_at);
    if (const auto* fields = targets_.find(state.target))
        for (const omni::Field field : managed_fields(*object))
            if (const auto ends_at = (*fields)[field].doubt_ends_at(now))
                hooks_.requeue_at(key, *ends_at); // then the status has less to say
    if (co_await write_status(key, state))
        writer_.announce(object->meta, state.announced, result);
}

std::string ConnectionReconciler::next_attempt_text(const ConnectionState& state,
                                                    const Outcome& result) const {
    const auto now = services_.runtime.now();
    const auto next = state.retry.next_attempt ? state.retry.next_attempt
                      : result.readiness == Readiness::ready || result.transient ? std::nullopt
                      : result.expected                                          ? result.expected
                                        : result.requeue_at;
    if (!next || *next <= now)
        return {};
    const auto wall_now = services_.runtime.wall_now();
    const auto when =
        wall_now + std::chrono::duration_cast<std::chrono::system_clock::duration>(*next - now);
    const auto written = parse_rfc3339(state.status.next_attempt_time);
    const bool close = written && *written > wall_now &&
                       std::chrono::abs(*written - when) <= next_attempt_tolerance;
    return close ? state.status.next_attempt_time : format_rfc3339(when);
}

// --- the status --------------------------------------------------------------------------------

asio::awaitable<bool> ConnectionReconciler::write_status(ObjectKey key, ConnectionState& state) {
    const auto object = newest(key, state);
    if (!object)
        co_return false;
    const api::OmniConnection::Status status = state.status; // which may change meanwhile
    state.vouched.writing(status);
    const auto written = co_await writer_.write(object, state.schedule, status);
    const bool claims_alone =
        written == Written::too_large && co_await write_claims(object, status);
    if (written == Written::later || (written == Written::too_large && !claims_alone))
        co_return false;
    if (state.vouched.written(status))
        if (const auto still = newest(key, state)) {
            claims_.update(*still, state);
            claims_.wake_rivals(key);
        }
    co_return written == Written::now;
}

// Whoever makes an object as large as one can be must not keep others waiting for its status to say
// that it has given up what it held: that makes it smaller.
asio::awaitable<bool>
ConnectionReconciler::write_claims(std::shared_ptr<const api::OmniConnection> object,
                                   api::OmniConnection::Status status) {
    json::Writer body;
    encode_claims(body, status);
    const auto done = co_await services_.statuses.patch(
        kube::resources::omni_connections, object->meta, body.str(), kube::request_deadline);
    co_return done.has_value();
}

asio::awaitable<void> ConnectionReconciler::record_now(ObjectKey key, ConnectionState& state) {
    const auto object = newest(key, state);
    if (!object)
        co_return;
    describe_fields(*object, state, state.status);
    co_await write_status(key, state);
}

} // namespace oco::reconcile
