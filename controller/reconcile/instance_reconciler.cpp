#include "reconcile/instance_reconciler.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "kube/config_files.hpp"
#include "rt/backoff.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {
namespace {

constexpr rt::Duration whoami_interval = std::chrono::minutes(1);
constexpr rt::Duration count_interval = std::chrono::seconds(30);
// A Secret that an API server in trouble did not give.
constexpr rt::Duration reread_after = std::chrono::seconds(2);
// What a process before this one spent is over after a minute.
constexpr rt::Duration reserve_for = std::chrono::minutes(1);
constexpr rt::BackoffPolicy instance_backoff{.first = std::chrono::seconds(1),
                                             .longest = std::chrono::minutes(5)};

std::string plural(std::size_t count, std::string_view noun) {
    return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

Outcome refused_key(const api::OmniInstance& instance, InstanceState& state,
                    const std::string& answer) {
    state.usable = false;
    return outcome(reason::unauthorized, "Omni refuses the API key; put a valid one into Secret " +
                                             instance.meta.key.ns + "/" + instance.api_token.name +
                                             ". " + answer);
}

bool key_or_rights(const Error& error) {
    return error.kind == ErrorClass::unauthorized || error.kind == ErrorClass::forbidden;
}

} // namespace

Outcome secret_outcome(const Error& error, const ObjectKey& secret) {
    switch (error.kind) {
    case ErrorClass::not_found:
        return outcome(reason::secret_not_found,
                       "Secret " + secret.str() + " does not exist; create it, and it is used");
    case ErrorClass::forbidden:
    case ErrorClass::unauthorized:
        return outcome(reason::secret_access_denied,
                       "the operator may not read Secret " + secret.str() +
                           "; give its service account `get` on secrets there");
    default:
        return outcome(reason::progressing,
                       "Secret " + secret.str() + " could not be read: " + error.message);
    }
}

Outcome missing_key_outcome(const ObjectKey& secret, const std::string& key) {
    return outcome(reason::secret_key_not_found, "Secret " + secret.str() + " has no key \"" + key +
                                                     "\"; add it, or name another");
}

void settle_slot(Services& services, work::Gate& gate, work::RateBudget::Slot slot,
                 const std::optional<Error>& error, const ObjectKey& instance) {
    if (error && error->http_status == 0) {
        if (error->sent == Sent::no)
            gate.unused(slot); // no connection, or no trust in the peer
        else
            gate.unanswered(slot, services.runtime.now());
        return;
    }
    gate.answered(slot);
    if (error && error->kind == ErrorClass::rate_limited) {
        services.metrics.rate_limited(instance.str());
        gate.rate_limited(error->retry_after);
    } else {
        gate.accepted();
    }
}

InstanceReconciler::InstanceReconciler(Services services, const World& world, rt::TaskGroup& tasks,
                                       Hooks hooks)
    : services_(services), world_(world), tasks_(tasks), hooks_(std::move(hooks)),
      writer_(services_, kube::resources::omni_instances, "OmniInstance", hooks_.again_at) {}

void InstanceReconciler::inherit(std::map<std::string, std::vector<rt::TimePoint>> pushes_by_host) {
    inherited_ = std::move(pushes_by_host);
    reserved_until_ = services_.runtime.now() + reserve_for;
}

void InstanceReconciler::status_delivered(const api::OmniInstance& object) {
    const auto known = states_.find(object.meta.key);
    if (known != states_.end() && known->second.uid == object.meta.uid)
        writer_.delivered(object, known->second.ledger);
}

const InstanceState* InstanceReconciler::find(const ObjectKey& key) const {
    const auto it = states_.find(key);
    return it == states_.end() ? nullptr : &it->second;
}

void InstanceReconciler::want_directory(const ObjectKey& key) {
    if (const auto it = states_.find(key); it != states_.end()) {
        it->second.directory_wanted = true;
        hooks_.again(key);
    }
}

void InstanceReconciler::doubt_key(const ObjectKey& key, const Error& answer) {
    if (const auto it = states_.find(key); it != states_.end()) {
        it->second.key_doubted = true;
        it->second.key_called_invalid |= answer.kind == ErrorClass::unauthorized;
        hooks_.again(key);
    }
}

void InstanceReconciler::forget_backoff(const ObjectKey& key) {
    if (const auto it = states_.find(key); it != states_.end())
        it->second.next_attempt.reset();
}

asio::awaitable<void> InstanceReconciler::reconcile(ObjectKey key) {
    const Instance instance = world_.instances.get(key);
    if (!instance) {
        if (states_.erase(key) != 0)
            services_.metrics.forget_instance(key.str());
        hooks_.changed(key);
        co_return;
    }
    const auto started = services_.runtime.now();
    InstanceState& state = states_[key];
    if (state.uid != instance->meta.uid) {
        state = {};
        state.uid = instance->meta.uid;
        state.status = StatusWriter::adopt(*instance, state.ledger, state.announced);
        services_.metrics.add_instance(key.str());
    }
    const bool was_usable = state.usable;
    const auto read_before = state.directory.read_at;
    const auto verified_before = state.key_verified_at;
    const std::string said_before = state.outcome.reason + state.outcome.message;
    state.outcome = co_await examine(instance, state);
    const bool new_spec =
        std::exchange(state.generation, instance->meta.generation) != instance->meta.generation;
    const bool news = new_spec || was_usable != state.usable ||
                      read_before != state.directory.read_at ||
                      verified_before != state.key_verified_at ||
                      said_before != state.outcome.reason + state.outcome.message;
    if (news)
        hooks_.changed(key);
    co_await write_status(instance, state);
    if (state.outcome.again)
        hooks_.again_at(key, *state.outcome.again);
    services_.metrics.reconciled("OmniInstance",
                                 state.outcome.shape == Shape::ready ? "success" : "failure",
                                 ops::Seconds(services_.runtime.now() - started));
}

asio::awaitable<Outcome> InstanceReconciler::examine(Instance instance, InstanceState& state) {
    if (instance->suspend) {
        state.usable = false;
        co_return outcome(reason::suspended, "spec.suspend is true: nothing is sent to Omni");
    }
    if (auto problem = co_await prepare_session(instance, state)) {
        state.usable = false;
        if (problem->shape == Shape::progressing)
            problem->again = services_.runtime.now() + reread_after;
        co_return *problem;
    }
    const bool due = !state.usable || state.directory_wanted || state.key_doubted;
    if (!due)
        co_return state.outcome;
    if (state.next_attempt && services_.runtime.now() < *state.next_attempt) {
        Outcome same = state.outcome;
        same.again = state.next_attempt;
        co_return same;
    }
    if (state.key_doubted || state.outcome.reason == reason::unauthorized)
        co_return co_await ask_whoami(instance, state);
    co_return co_await verify(instance, state);
}

asio::awaitable<Outcome> InstanceReconciler::verify(Instance instance, InstanceState& state) {
    const ObjectKey key = instance->meta.key;
    const auto session = state.session;
    const auto slot = session->gate->enter("instance " + key.str(), work::Priority::credential,
                                           [this, key] { hooks_.again(key); });
    if (!slot)
        co_return outcome(reason::rate_limited,
                          "waiting for a free slot of the key's requests per minute");
    const bool list_refused = state.directory.refused;
    state.directory_wanted = false;
    auto list = co_await session->omni.list_connections();
    settle_slot(services_, *session->gate, *slot,
                list.has_error() ? std::optional(list.error()) : std::nullopt, key);
    if (session != state.session)
        co_return state.outcome; // another key meanwhile: its own reconcile follows
    const auto now = services_.runtime.now();
    if (!list) {
        const bool unreadable =
            key_or_rights(list.error()) || list.error().kind == ErrorClass::not_found;
        if (unreadable) {
            state.directory = {.by_id = {}, .read_at = now, .refused = true};
            if (list_refused && state.usable)
                co_return state.outcome;
            co_return co_await ask_whoami(instance, state);
        }
        co_return failed(state, list.error());
    }
    state.directory = {.by_id = {}, .read_at = now, .refused = false};
    for (auto& info : *list) {
        const std::string id = info.id;
        state.directory.by_id.insert_or_assign(id, std::move(info));
    }
    state.usable = true;
    state.key_verified_at = now;
    state.failures = 0;
    state.next_attempt.reset();
    co_return outcome(reason::synced, "the key is accepted; it sees " +
                                          plural(state.directory.by_id.size(), "connection"));
}

asio::awaitable<Outcome> InstanceReconciler::ask_whoami(Instance instance, InstanceState& state) {
    const ObjectKey key = instance->meta.key;
    const auto session = state.session;
    const auto now = services_.runtime.now();
    if (state.last_whoami && now < *state.last_whoami + whoami_interval) {
        // One question a minute is enough for a key. Until then a 401 is believed.
        Outcome same = state.key_called_invalid ? refused_key(*instance, state, "") : state.outcome;
        same.again = *state.last_whoami + whoami_interval;
        co_return same;
    }
    const auto slot = session->gate->enter("instance " + key.str(), work::Priority::credential,
                                           [this, key] { hooks_.again(key); });
    if (!slot)
        co_return outcome(reason::rate_limited,
                          "waiting for a free slot of the key's requests per minute");
    state.last_whoami = now;
    auto answer = co_await session->omni.whoami();
    settle_slot(services_, *session->gate, *slot,
                answer.has_error() ? std::optional(answer.error()) : std::nullopt, key);
    if (session != state.session)
        co_return state.outcome;
    if (answer) {
        state.key_doubted = state.key_called_invalid = false;
        state.key_verified_at = services_.runtime.now();
        state.failures = 0;
        state.next_attempt.reset();
        if (!state.usable && !state.directory.refused)
            co_return co_await verify(instance, state);
        state.usable = true;
        co_return outcome(reason::synced,
                          state.directory.refused
                              ? "the key is accepted, but may not list connections: dialects "
                                "cannot be checked"
                              : "the key is accepted");
    }
    if (!key_or_rights(answer.error()))
        co_return failed(state, answer.error());
    state.key_doubted = false;
    Outcome refused = refused_key(*instance, state, answer.error().message);
    refused.again = services_.runtime.now() + whoami_interval;
    state.next_attempt = refused.again;
    co_return refused;
}

Outcome InstanceReconciler::failed(InstanceState& state, const Error& error) {
    if (!state.usable || state.directory.read_at)
        state.directory_wanted = true; // what failed is still to be done
    if (error.kind == ErrorClass::rate_limited) {
        Outcome limited = outcome(reason::rate_limited, error.message);
        limited.again = services_.runtime.now() + std::chrono::seconds(1);
        return limited;
    }
    ++state.failures;
    state.next_attempt =
        services_.runtime.now() + rt::backoff(services_.runtime, instance_backoff, state.failures);
    Outcome out = outcome(error.kind == ErrorClass::tls ? reason::tls_verification_failed
                                                        : reason::omni_unavailable,
                          error.message);
    out.again = state.next_attempt;
    return out;
}

asio::awaitable<void> InstanceReconciler::write_status(Instance instance, InstanceState& state) {
    const ObjectKey key = instance->meta.key;
    const Instance newest = world_.instances.get(key);
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
        static_cast<std::int64_t>(world_.connections_by_instance.users_of(key).size());
    const auto count_due = state.count_written.value_or(now) + count_interval;
    const bool alone = !state.ledger.due(prints_of(state.status), now);
    if (count != state.status.connections && alone && state.count_written && now < count_due) {
        hooks_.again_at(key, count_due);
    } else {
        state.status.connections = count;
    }
    const Outcome said = state.outcome;
    if (co_await writer_.write(newest, state.ledger, state.status)) {
        state.count_written = now;
        writer_.announce(instance->meta, state.announced, said);
    }
}

} // namespace oco::reconcile
