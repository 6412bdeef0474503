#include "reconcile/connection/connection_reconciler.hpp"

#include "base/log.hpp"
#include "reconcile/connection/reconciliation.hpp"

namespace oco::reconcile {
namespace {

// A transient outcome becomes visible after this long.
constexpr rt::Duration transient_limit = std::chrono::seconds(1);
constexpr rt::Duration longest_backoff = std::chrono::minutes(5);
// nextAttemptTime moves by jitter all the time: it is rewritten when it is off by more than this.
constexpr std::chrono::seconds next_attempt_tolerance(60);
// Writes at a time at the end of the process; as many as the client keeps connections.
constexpr int recorders = 8;

} // namespace

bool InFlight::enter(const api::Target& target, const ObjectKey& key) {
    const auto [entry, first] = waiting_.try_emplace(target);
    if (!first)
        entry->second.insert(key);
    return first;
}

std::set<ObjectKey> InFlight::leave(const api::Target& target) {
    auto entry = waiting_.extract(target);
    return entry.empty() ? std::set<ObjectKey>() : std::move(entry.mapped());
}

ConnectionReconciler::ConnectionReconciler(Services services, const Caches& caches,
                                           InstanceReconciler& instances, rt::TaskGroup& tasks,
                                           Hooks hooks)
    : services_(services), caches_(caches), instances_(instances), tasks_(tasks),
      hooks_(std::move(hooks)),
      writer_(services_, kube::resources::omni_connections, "OmniConnection", hooks_.requeue_at) {}

api::Target ConnectionReconciler::target_of(const api::OmniConnection& object) const {
    const auto instance = caches_.instances.get(object.instance);
    if (!instance || !namespace_allowed(caches_, *instance, object.meta.key.ns))
        return {};
    const auto url = parse_base_url(instance->base_url);
    if (!url)
        return {};
    std::string id = object.connection_id;
    if (id.empty()) {
        const auto known = states_.find(object.meta.key);
        id = known != states_.end() && known->second->uid == object.meta.uid
                 ? known->second->status.connection_id
                 : object.status.connection_id;
    }
    if (instance->allowed_connections && !instance->allowed_connections->contains(id))
        return {};
    return {.host = url->label(), .connection_id = id};
}

void ConnectionReconciler::secret_changed(const ObjectKey& key) {
    if (const auto known = states_.find(key); known != states_.end())
        if (!known->second->secret_changed_at)
            known->second->secret_changed_at = services_.runtime.now();
}

void ConnectionReconciler::leave(const api::Target& target) {
    for (const auto& other : in_flight_.leave(target))
        hooks_.requeue(other);
}

void ConnectionReconciler::orphan(const ConnectionState& state) {
    const auto now = services_.runtime.now();
    std::erase_if(orphans_, [&](const auto& entry) { return entry.second.fields(now).empty(); });
    for (const omni::Field field : state.in_doubt.fields(now))
        orphans_[state.status.applied.target].note_unknown_value(field, now);
}

void ConnectionReconciler::adopt_orphans(const api::Target& target, ConnectionState& state) {
    const auto now = services_.runtime.now();
    const auto left = orphans_.extract(target);
    if (left.empty())
        return;
    for (const omni::Field field : left.mapped().fields(now))
        state.in_doubt.note_unknown_value(field, now);
}

std::shared_ptr<ConnectionState> ConnectionReconciler::remember(const api::OmniConnection& object) {
    const auto known = states_.find(object.meta.key);
    if (known != states_.end() && known->second->uid == object.meta.uid) {
        if (services_.settings.dry_run)
            follow(object, *known->second);
        return known->second;
    }
    forget(object.meta.key);
    auto state = std::make_shared<ConnectionState>();
    recall(object, *state);
    states_.emplace(object.meta.key, state);
    return state;
}

// The object is gone, or another has its name.
void ConnectionReconciler::forget(const ObjectKey& key) {
    const auto known = states_.find(key);
    if (known == states_.end())
        return;
    orphan(*known->second);
    wait_only_at(key, *known->second, nullptr);
    states_.erase(known);
}

// In a dry run the status is another's, who may have pushed meanwhile: what that one learnt counts.
// Of our own only what was told stays.
void ConnectionReconciler::follow(const api::OmniConnection& object, ConnectionState& state) {
    if (state.adopted == fingerprints_of(object.status).all)
        return;
    ConnectionState again;
    again.told = std::move(state.told);
    const Announced announced = std::move(state.announced);
    recall(object, again);
    again.announced = announced;
    // What was listed before tells nothing of what is in Omni now.
    for (const omni::Field setting :
         {omni::Field::base_role, omni::Field::environment_user_attribute})
        again.drift.pushed(setting, services_.runtime.now());
    state = std::move(again);
}

// What the object's status tells a process that knows nothing of it.
void ConnectionReconciler::recall(const api::OmniConnection& object, ConnectionState& state) {
    state.uid = object.meta.uid;
    state.status = StatusWriter::adopt(object, state.schedule, state.announced);
    if (services_.settings.dry_run)
        state.adopted = fingerprints_of(object.status).all;
    recall_unanswered(state, services_.runtime.now());
    // A spec that was changed may have been sent, and changed back.
    const bool looked_at = object.status.observed_generation == object.meta.generation;
    if (!looked_at && !services_.leadership.all_is_recorded())
        for (const omni::Field setting :
             {omni::Field::base_role, omni::Field::environment_user_attribute})
            forget_applied(state.status.applied, setting);
    state.generation = object.status.observed_generation;
    recall_failures(object, state);
    recall_pace(object.status);
}

// A restart goes on waiting where the last process left off, within reason.
void ConnectionReconciler::recall_failures(const api::OmniConnection& object,
                                           ConnectionState& state) const {
    state.failures = static_cast<int>(object.status.failures);
    const auto next = parse_rfc3339(object.status.next_attempt_time);
    const auto* ready = kube::find_condition(object.status.conditions, "Ready");
    // Of other waits, for a turn for instance, the time was an estimate.
    const bool failed = state.failures > 0 || (ready && ready->reason == reason::forbidden);
    if (!next || !ready || !failed)
        return;
    const rt::Duration left = *next - services_.runtime.wall_now();
    state.next_attempt =
        services_.runtime.now() + std::clamp(left, rt::Duration::zero(), longest_backoff);
    state.failure = outcome(ready->reason, ready->message);
}

// How often the process before sent to the connection is not known, only when it last did.
void ConnectionReconciler::recall_pace(const api::OmniConnection::Status& status) {
    const auto last = parse_rfc3339(status.last_push_time);
    if (!last)
        return;
    const rt::Duration ago =
        std::max<rt::Duration>(services_.runtime.wall_now() - *last, rt::Duration::zero());
    if (ago < PushPace::burst * PushPace::interval)
        pace_.assume_spent(status.applied.target, services_.runtime.now() - ago);
}

void ConnectionReconciler::wait_only_at(const ObjectKey& key, ConnectionState& state,
                                        std::shared_ptr<Account> at) {
    if (state.waits_at && state.waits_at != at)
        state.waits_at->scheduler.cancel(key.str());
    state.waits_at = std::move(at);
}

asio::awaitable<void> ConnectionReconciler::reconcile(ObjectKey key) {
    const auto object = caches_.connections.get(key);
    if (!object) {
        forget(key);
        co_return;
    }
    const auto started = services_.runtime.now();
    const auto held = remember(*object);
    ConnectionState& state = *held;
    Reconciliation attempt(*this, object, held);
    Outcome result = co_await attempt.run();
    // What is over in a moment does not cost the key its place in the line.
    if (attempt.waits_at() || !result.transient)
        wait_only_at(key, state, attempt.waits_at());
    co_await finish(object, state, attempt.take_status(), result);
    services_.metrics.reconciled("OmniConnection",
                                 result.readiness == Readiness::ready ? "success" : "failure",
                                 ops::Seconds(services_.runtime.now() - started));
}

asio::awaitable<void>
ConnectionReconciler::finish(std::shared_ptr<const api::OmniConnection> object,
                             ConnectionState& state, api::OmniConnection::Status next,
                             Outcome result) {
    const auto now = services_.runtime.now();
    const ObjectKey key = object->meta.key;
    next.unanswered = unanswered_fields(state, *object, now);
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
            result = state.outcome.reason.empty() ? result : state.outcome;
        }
    } else {
        state.waiting_since.reset();
    }
    state.generation = object->meta.generation;
    next.observed_generation = object->meta.generation;
    next.failures = state.failures;
    next.next_attempt_time = next_attempt_text(state, result);
    if (!result.transient) {
        next.last_handled_reconcile_at = object->reconcile_requested_at;
        if (result.readiness == Readiness::ready || result.readiness == Readiness::stalled)
            next.last_handled_force_at = object->force_requested_at;
    }
    next.conditions = state.status.conditions; // an attempt that took long has told of itself
    kube::set_conditions(next.conditions, conditions_of(result, object->meta.generation),
                         services_.runtime.wall_now());
    state.outcome = result;
    state.status = std::move(next);
    if (result.requeue_at)
        hooks_.requeue_at(key, *result.requeue_at);
    if (const auto settled = state.in_doubt.next_change(now))
        hooks_.requeue_at(key, *settled); // then the status has less to tell
    if (co_await write_status(key, state))
        writer_.announce(object->meta, state.announced, result);
}

std::string ConnectionReconciler::next_attempt_text(const ConnectionState& state,
                                                    const Outcome& result) const {
    const auto now = services_.runtime.now();
    const auto next = state.next_attempt ? state.next_attempt
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

std::shared_ptr<const api::OmniConnection>
ConnectionReconciler::newest(const ObjectKey& key, const ConnectionState& state) const {
    auto object = caches_.connections.get(key);
    return object && object->meta.uid == state.uid ? object : nullptr;
}

asio::awaitable<bool> ConnectionReconciler::write_status(ObjectKey key, ConnectionState& state) {
    const auto object = newest(key, state);
    if (!object)
        co_return false;
    co_return co_await writer_.write(object, state.schedule, state.status);
}

void ConnectionReconciler::status_delivered(const api::OmniConnection& object) {
    const auto known = states_.find(object.meta.key);
    if (known == states_.end() || known->second->uid != object.meta.uid)
        return;
    if (services_.settings.dry_run)
        hooks_.requeue(object.meta.key); // see follow()
    else
        writer_.delivered(object, known->second->schedule);
}

asio::awaitable<bool> ConnectionReconciler::record_rest(rt::Duration limit) {
    const auto now = services_.runtime.now();
    std::vector<ObjectKey> later;
    std::vector<ObjectKey> first; // taken from the end: what was cut goes first
    for (const auto& [key, held] : states_) {
        ConnectionState& state = *held;
        const auto object = newest(key, state);
        if (!object)
            continue;
        const bool cut = !state.in_flight.empty();
        if (cut)
            note_cut(state, *object, now, services_.runtime.wall_now());
        if (state.schedule.due(fingerprints_of(state.status), now))
            (cut ? first : later).push_back(key);
    }
    later.insert(later.end(), first.begin(), first.end());
    bool all_written = true;
    rt::TaskGroup writers(services_.runtime);
    for (int i = 0; i < recorders; ++i)
        writers.spawn(record_one_by_one(later, now + limit, all_written));
    co_await writers.join();
    co_return all_written;
}

asio::awaitable<void> ConnectionReconciler::record_one_by_one(std::vector<ObjectKey>& keys,
                                                              rt::TimePoint deadline,
                                                              bool& all_written) {
    while (!keys.empty()) {
        const ObjectKey key = keys.back();
        keys.pop_back();
        const auto held = states_.at(key);
        ConnectionState& state = *held;
        const auto left = deadline - services_.runtime.now();
        const auto object = newest(key, state);
        if (left <= rt::Duration::zero()) {
            all_written = false;
            co_return;
        }
        if (!object)
            continue;
        auto done = co_await writer_.write_now(object, state.schedule, state.status, left);
        const bool gone = !done && (done.error().kind == ErrorClass::not_found ||
                                    done.error().kind == ErrorClass::conflict);
        if (done || gone)
            continue;
        all_written = false;
        log::warn("status not written before the end",
                  {{"object", key.str()}, {"error", done.error().message}});
    }
}

} // namespace oco::reconcile
