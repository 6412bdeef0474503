#include "reconcile/account/instance_reconciler.hpp"

#include <utility>

namespace oco::reconcile {
namespace {

constexpr rt::Duration count_interval = std::chrono::seconds(30);
// A Secret that an API server in trouble did not give.
constexpr rt::Duration reread_after = std::chrono::seconds(2);
// What a process before this one spent is over after a minute.
constexpr rt::Duration reserve_for = std::chrono::minutes(1);

// Whether `told` was different.
bool replace(std::optional<rt::TimePoint>& told, std::optional<rt::TimePoint> now) {
    return std::exchange(told, now) != now;
}

} // namespace

std::shared_ptr<const Directory> InstanceState::directory() const {
    static const auto none = std::make_shared<const Directory>();
    return client ? client->account->directory : none;
}

std::optional<rt::TimePoint> InstanceState::accepted_at() const {
    return client ? client->account->accepted_at : std::nullopt;
}

InstanceReconciler::InstanceReconciler(Services services, const Caches& caches,
                                       rt::TaskGroup& tasks, Hooks hooks)
    : services_(services), caches_(caches), tasks_(tasks), hooks_(std::move(hooks)),
      writer_(services_, kube::resources::omni_instances, "OmniInstance", hooks_.requeue_at) {}

void InstanceReconciler::inherit(std::map<std::string, std::vector<rt::TimePoint>> used_by_host) {
    inherited_ = std::move(used_by_host);
    reserved_until_ = services_.runtime.now() + reserve_for;
}

void InstanceReconciler::status_delivered(const api::OmniInstance& object) {
    const auto known = states_.find(object.meta.key);
    if (known != states_.end() && known->second->uid == object.meta.uid)
        writer_.delivered(object, known->second->schedule);
}

std::optional<InstanceView> InstanceReconciler::view(const ObjectKey& key) const {
    const auto it = states_.find(key);
    if (it == states_.end())
        return std::nullopt;
    const InstanceState& state = *it->second;
    return InstanceView{.uid = state.uid,
                        .generation = state.generation,
                        .outcome = state.outcome,
                        .usable = state.usable,
                        .client = state.client,
                        .client_identity = state.client_identity,
                        .directory = state.directory(),
                        .accepted_at = state.accepted_at(),
                        .refused_at = state.refused_at};
}

void InstanceReconciler::request_list(const ObjectKey& key, ListRequest request) {
    const auto it = states_.find(key);
    if (it == states_.end())
        return;
    if (const auto& other = it->second->list_request) {
        if (other->since >= request.since && other->request_class <= request.request_class)
            return; // it is on its way
        request.since = std::max(request.since, other->since);
        request.request_class =
            std::min(request.request_class, other->request_class); // a look-up is more urgent
    }
    it->second->list_request = request;
    hooks_.requeue(key);
}

void InstanceReconciler::doubt_key(const ObjectKey& key, const Account& account,
                                   const Error& answer) {
    const auto it = states_.find(key);
    if (it == states_.end())
        return;
    InstanceState& state = *it->second;
    if (!state.client || state.client->account.get() != &account)
        return;
    state.doubted_at = services_.runtime.now();
    state.key_called_invalid |= answer.kind == ErrorClass::unauthorized;
    hooks_.requeue(key);
}

void InstanceReconciler::forget_backoff(const ObjectKey& key) {
    if (const auto it = states_.find(key); it != states_.end())
        it->second->next_attempt.reset();
}

void InstanceReconciler::wake_sharing(const Account& account) {
    for (const auto& [key, state] : states_)
        if (state->client && state->client->account.get() == &account)
            hooks_.requeue(key);
}

void InstanceReconciler::cancel_wait(const ObjectKey& key, const InstanceState& state) {
    if (state.client)
        state.client->account->scheduler.cancel(scheduler_key(key));
}

std::shared_ptr<InstanceState> InstanceReconciler::state_of(const api::OmniInstance& instance) {
    auto& entry = states_[instance.meta.key];
    if (entry && entry->uid == instance.meta.uid)
        return entry;
    if (entry)
        cancel_wait(instance.meta.key, *entry);
    const auto before = std::exchange(entry, std::make_shared<InstanceState>());
    if (before && before->client)
        apply_limit(*before->client->account);
    entry->uid = instance.meta.uid;
    entry->status = StatusWriter::adopt(instance, entry->schedule, entry->announced);
    services_.metrics.add_instance(instance.meta.key.str());
    return entry;
}

void InstanceReconciler::forget(const ObjectKey& key) {
    const auto known = states_.find(key);
    if (known == states_.end())
        return;
    const auto state = known->second;
    cancel_wait(key, *state);
    states_.erase(known);
    if (state->client)
        apply_limit(*state->client->account);
    services_.metrics.forget_instance(key.str());
}

asio::awaitable<void> InstanceReconciler::reconcile(ObjectKey key) {
    const Instance instance = caches_.instances.get(key);
    if (!instance) {
        forget(key);
        hooks_.changed(key);
        co_return;
    }
    const auto started = services_.runtime.now();
    const auto held = state_of(*instance);
    InstanceState& state = *held;
    const bool was_usable = state.usable;
    const std::string said_before = state.outcome.reason + state.outcome.message;
    state.examined = co_await examine(instance, state);
    state.outcome = state.examined;
    if (state.usable && state.client->account->scheduler.breaker_open())
        state.outcome = outcome(reason::omni_unavailable,
                                "requests for several connections failed in a row; only one at a "
                                "time is sent until Omni responds again");
    const bool new_spec =
        std::exchange(state.generation, instance->meta.generation) != instance->meta.generation;
    // An instance that shares the account may have asked.
    const bool new_list = replace(state.list_told, state.directory()->asked_at);
    const bool newly_accepted = replace(state.acceptance_told, state.accepted_at());
    const bool news = new_spec || was_usable != state.usable || new_list || newly_accepted ||
                      said_before != state.outcome.reason + state.outcome.message;
    if (news)
        hooks_.changed(key);
    co_await write_status(instance, state);
    if (const auto requeue_at = std::exchange(state.examined.requeue_at, std::nullopt))
        hooks_.requeue_at(key, *requeue_at);
    services_.metrics.reconciled(
        "OmniInstance", state.outcome.readiness == Readiness::ready ? "success" : "failure",
        ops::Seconds(services_.runtime.now() - started));
}

asio::awaitable<Outcome> InstanceReconciler::examine(Instance instance, InstanceState& state) {
    if (instance->suspend) {
        state.usable = false;
        co_return outcome(reason::suspended, "spec.suspend is true: nothing is sent to Omni");
    }
    if (const auto* unread = caches_.unread_in(instance->meta.key.ns)) {
        state.usable = false;
        co_return unread->refused
            ? outcome(reason::namespace_not_allowed,
                      "nothing is sent, because the operator cannot watch this namespace: " +
                          unread->why)
            : outcome(reason::progressing, "the operator is reading this namespace");
    }
    if (auto problem = co_await prepare_client(instance, state)) {
        state.usable = false;
        if (problem->readiness == Readiness::progressing)
            problem->requeue_at = services_.runtime.now() + reread_after;
        co_return *problem;
    }
    const auto account = state.client->account;
    if (!state.doubted_at &&
        account->refused_at > account->accepted_at) // another instance was notified
        state.doubted_at = *account->refused_at - rt::Duration(1);
    const auto asked_at = account->directory->asked_at;
    if (state.list_request && asked_at && *asked_at >= state.list_request->since)
        state.list_request.reset();
    if (state.usable && !state.list_request && !state.doubted_at) {
        state.failures = 0; // whoever shares the key may have had an answer since
        state.next_attempt.reset();
        co_return accepted(*account->directory);
    }
    if (state.next_attempt && services_.runtime.now() < *state.next_attempt) {
        Outcome same = state.examined;
        same.requeue_at = state.next_attempt;
        co_return same;
    }
    if (state.doubted_at)
        co_return co_await resolve_key_doubt(instance, state);
    co_return co_await read_list(instance, state);
}

asio::awaitable<void> InstanceReconciler::write_status(Instance instance, InstanceState& state) {
    const ObjectKey key = instance->meta.key;
    const Instance newest = caches_.instances.get(key);
    if (!newest || newest->meta.uid != state.uid)
        co_return;
    const auto now = services_.runtime.now();
    state.status.observed_generation = instance->meta.generation;
    kube::set_conditions(state.status.conditions,
                         conditions_of(state.outcome, instance->meta.generation),
                         services_.runtime.wall_now());
    // A crowd of new connections makes few writes: the count goes along with what else is written,
    // or when it is due.
    const auto count =
        static_cast<std::int64_t>(caches_.connections_by_instance.users_of(key).size());
    const auto count_due = state.count_written.value_or(now) + count_interval;
    const bool alone = !state.schedule.due(fingerprints_of(state.status), now);
    if (count != state.status.connections && alone && state.count_written && now < count_due) {
        hooks_.requeue_at(key, count_due);
    } else {
        state.status.connections = count;
    }
    const Outcome said = state.outcome;
    if (co_await writer_.write(newest, state.schedule, state.status) == Written::now) {
        state.count_written = now;
        writer_.announce(instance->meta, state.announced, said);
    }
}

} // namespace oco::reconcile
