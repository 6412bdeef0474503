#include "reconcile/connection_reconciler.hpp"

#include "base/log.hpp"
#include "reconcile/attempt.hpp"

namespace oco::reconcile {
namespace {

// A momentary outcome becomes visible after this long.
constexpr rt::Duration momentary_limit = std::chrono::seconds(1);
constexpr rt::Duration longest_backoff = std::chrono::minutes(5);
// nextAttemptTime moves by jitter all the time: it is rewritten when it is off by more than this.
constexpr std::chrono::seconds next_attempt_tolerance(60);

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

ConnectionReconciler::ConnectionReconciler(Services services, const World& world,
                                           InstanceReconciler& instances, rt::TaskGroup& tasks,
                                           Hooks hooks)
    : services_(services), world_(world), instances_(instances), tasks_(tasks),
      hooks_(std::move(hooks)) {}

api::Target ConnectionReconciler::target_of(const api::OmniConnection& object) const {
    const auto instance = world_.instances.get(object.instance);
    if (!instance || !namespace_allowed(world_, *instance, object.meta.key.ns))
        return {};
    const auto url = parse_base_url(instance->base_url);
    if (!url)
        return {};
    std::string id = object.connection_id;
    if (id.empty()) {
        const auto known = memories_.find(object.meta.key);
        id = known != memories_.end() && known->second.uid == object.meta.uid
                 ? known->second.status.connection_id
                 : object.status.connection_id;
    }
    if (instance->allowed_connections && !instance->allowed_connections->contains(id))
        return {};
    return {.host = url->label(), .connection_id = id};
}

void ConnectionReconciler::secret_changed(const ObjectKey& key) {
    if (const auto known = memories_.find(key); known != memories_.end())
        if (!known->second.secret_changed_at)
            known->second.secret_changed_at = services_.runtime.now();
}

void ConnectionReconciler::leave(const api::Target& target) {
    for (const auto& other : in_flight_.leave(target))
        hooks_.again(other);
}

Memory& ConnectionReconciler::remember(const api::OmniConnection& object) {
    Memory& memory = memories_[object.meta.key];
    if (memory.uid == object.meta.uid)
        return memory;
    memory = {};
    memory.uid = object.meta.uid;
    memory.status = object.status;
    memory.generation = object.status.observed_generation;
    memory.failures = static_cast<int>(object.status.failures);
    // A restart goes on waiting where the last process left off, within reason.
    if (const auto next = parse_rfc3339(object.status.next_attempt_time)) {
        const rt::Duration left = *next - services_.runtime.wall_now();
        memory.next_attempt =
            services_.runtime.now() + std::clamp(left, rt::Duration::zero(), longest_backoff);
        if (const auto* ready = kube::find_condition(object.status.conditions, "Ready"))
            memory.outcome = outcome(ready->reason, ready->message);
    }
    return memory;
}

asio::awaitable<void> ConnectionReconciler::reconcile(ObjectKey key) {
    const auto object = world_.connections.get(key);
    if (!object) {
        memories_.erase(key);
        co_return;
    }
    const auto started = services_.runtime.now();
    Memory& memory = remember(*object);
    Attempt attempt(*this, object, memory);
    Outcome result = co_await attempt.run();
    co_await finish(object, memory, attempt.take_status(), result);
    services_.metrics.reconciled("OmniConnection",
                                 result.shape == Shape::ready ? "success" : "failure",
                                 ops::Seconds(services_.runtime.now() - started));
}

asio::awaitable<void>
ConnectionReconciler::finish(std::shared_ptr<const api::OmniConnection> object, Memory& memory,
                             api::OmniConnection::Status next, Outcome result) {
    const auto now = services_.runtime.now();
    const ObjectKey key = object->meta.key;
    if (result.momentary) {
        if (!memory.waiting_since)
            memory.waiting_since = now;
        const auto visible_at = *memory.waiting_since + momentary_limit;
        if (now < visible_at) {
            hooks_.again_at(key, std::min(visible_at, result.again.value_or(visible_at)));
            // What was learnt stays; the conditions say it when it lasts. But what Omni accepted is
            // recorded at once.
            if (next.applied == memory.status.applied)
                co_return;
            result = memory.outcome.reason.empty() ? result : memory.outcome;
        }
    } else {
        memory.waiting_since.reset();
    }
    memory.generation = object->meta.generation;
    next.observed_generation = object->meta.generation;
    next.failures = memory.failures;
    const bool waiting_to_retry = memory.next_attempt && *memory.next_attempt > now;
    if (!waiting_to_retry) {
        next.next_attempt_time.clear();
    } else {
        const auto when = services_.runtime.wall_now() +
                          std::chrono::duration_cast<std::chrono::system_clock::duration>(
                              *memory.next_attempt - now);
        const auto written = parse_rfc3339(memory.status.next_attempt_time);
        const bool close = written && *written > services_.runtime.wall_now() &&
                           std::chrono::abs(*written - when) <= next_attempt_tolerance;
        next.next_attempt_time = close ? memory.status.next_attempt_time : format_rfc3339(when);
    }
    if (!result.momentary) {
        next.last_handled_reconcile_at = object->reconcile_requested_at;
        if (result.shape == Shape::ready || result.shape == Shape::stalled)
            next.last_handled_force_at = object->force_requested_at;
    }
    kube::set_conditions(next.conditions, conditions_of(result, object->meta.generation),
                         services_.runtime.wall_now());
    const Outcome before = std::exchange(memory.outcome, result);
    if (result.again)
        hooks_.again_at(key, *result.again);
    if (co_await write_status(object, memory, std::move(next)))
        announce(*object, before, result);
}

asio::awaitable<bool>
ConnectionReconciler::write_status(std::shared_ptr<const api::OmniConnection> object,
                                   Memory& memory, api::OmniConnection::Status next) {
    if (next == memory.status)
        co_return false;
    json::Writer body;
    encode(body, next);
    auto done = co_await services_.kube.patch_status(kube::resources::omni_connections,
                                                     object->meta, body.str());
    if (done) {
        memory.status = std::move(next);
        co_return true;
    }
    if (done.error().kind == ErrorClass::not_found || done.error().kind == ErrorClass::conflict)
        co_return false; // deleted, or made anew
    log::warn("status not written", {{"kind", "OmniConnection"},
                                     {"object", object->meta.key.str()},
                                     {"error", done.error().message}});
    // In memory it is written: what Omni holds must not be forgotten. The conditions are spoilt, so
    // that the next reconcile writes all again.
    memory.status = std::move(next);
    memory.status.conditions.clear();
    hooks_.again_at(object->meta.key, services_.runtime.now() + std::chrono::seconds(2));
    co_return false;
}

void ConnectionReconciler::announce(const api::OmniConnection& object, const Outcome& before,
                                    const Outcome& now) {
    if (before.reason == now.reason && before.message == now.message)
        return;
    log::write(
        now.shape == Shape::ready ? log::Level::info : log::Level::warn, "connection",
        {{"object", object.meta.key.str()}, {"reason", now.reason}, {"message", now.message}});
    if (before.reason == now.reason)
        return;
    const bool calm = now.shape == Shape::ready || now.shape == Shape::progressing;
    record(object, calm ? kube::EventType::normal : kube::EventType::warning, now.reason,
           "Reconcile", now.message);
}

void ConnectionReconciler::record(const api::OmniConnection& object, kube::EventType type,
                                  std::string_view reason, std::string_view action,
                                  std::string note) {
    services_.events.record({.regarding = {.api_version = "omniconnection.io/v1alpha1",
                                           .kind = "OmniConnection",
                                           .meta = object.meta},
                             .type = type,
                             .reason = std::string(reason),
                             .action = std::string(action),
                             .note = std::move(note)});
}

} // namespace oco::reconcile
