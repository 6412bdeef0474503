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

bool key_or_rights(const Error& error) {
    return error.kind == ErrorClass::unauthorized || error.kind == ErrorClass::forbidden;
}

std::string gate_key(const ObjectKey& instance) {
    return "instance " + instance.str();
}

work::Ending ending_of(const Error& error) {
    if (error.http_status == 0)
        return error.sent == Sent::no ? work::Ending::unsent : work::Ending::none;
    if (error.kind == ErrorClass::rate_limited)
        return work::Ending::rate_limited;
    return error.kind == ErrorClass::unavailable ? work::Ending::failed : work::Ending::given;
}

// Whether `told` was another.
bool replace(std::optional<rt::TimePoint>& told, std::optional<rt::TimePoint> now) {
    return std::exchange(told, now) != now;
}

template<class T>
std::optional<Error> error_in(const Result<T>& result) {
    return result.has_error() ? std::optional(result.error()) : std::nullopt;
}

} // namespace

const Directory& InstanceState::directory() const {
    static const Directory none;
    return session ? session->account->directory : none;
}

std::optional<rt::TimePoint> InstanceState::accepted_at() const {
    return session ? session->account->accepted_at : std::nullopt;
}

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

void finish_request(Services& services, work::Gate& gate, const work::Grant& grant,
                    const std::optional<Error>& error, const ObjectKey& instance) {
    services.metrics.rate_limit_wait(instance.str(), ops::Seconds(grant.waited));
    if (error && error->kind == ErrorClass::rate_limited)
        services.metrics.rate_limited(instance.str());
    gate.finish(grant, error ? ending_of(*error) : work::Ending::given,
                error ? error->retry_after : std::nullopt);
}

InstanceReconciler::InstanceReconciler(Services services, const World& world, rt::TaskGroup& tasks,
                                       Hooks hooks)
    : services_(services), world_(world), tasks_(tasks), hooks_(std::move(hooks)),
      writer_(services_, kube::resources::omni_instances, "OmniInstance", hooks_.again_at) {}

void InstanceReconciler::inherit(std::map<std::string, std::vector<rt::TimePoint>> spent_by_host) {
    inherited_ = std::move(spent_by_host);
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

void InstanceReconciler::want_list(const ObjectKey& key, ListWish wish) {
    const auto it = states_.find(key);
    if (it == states_.end())
        return;
    if (const auto& other = it->second.list_wish) {
        wish.since = std::max(wish.since, other->since);
        wish.errand = std::min(wish.errand, other->errand); // a look-up is more urgent
    }
    it->second.list_wish = wish;
    hooks_.again(key);
}

void InstanceReconciler::doubt_key(const ObjectKey& key, const Error& answer) {
    if (const auto it = states_.find(key); it != states_.end()) {
        it->second.doubted_at = services_.runtime.now();
        it->second.key_called_invalid |= answer.kind == ErrorClass::unauthorized;
        hooks_.again(key);
    }
}

void InstanceReconciler::forget_backoff(const ObjectKey& key) {
    if (const auto it = states_.find(key); it != states_.end())
        it->second.next_attempt.reset();
}

void InstanceReconciler::wake_sharing(const Account& account) {
    for (const auto& [key, state] : states_)
        if (state.session && state.session->account.get() == &account)
            hooks_.again(key);
}

void InstanceReconciler::leave_gate(const ObjectKey& key, const InstanceState& state) {
    if (state.session)
        state.session->account->gate.leave(gate_key(key));
}

asio::awaitable<void> InstanceReconciler::reconcile(ObjectKey key) {
    const Instance instance = world_.instances.get(key);
    if (!instance) {
        if (const auto known = states_.find(key); known != states_.end()) {
            leave_gate(key, known->second);
            states_.erase(known);
            services_.metrics.forget_instance(key.str());
        }
        hooks_.changed(key);
        co_return;
    }
    const auto started = services_.runtime.now();
    InstanceState& state = states_[key];
    if (state.uid != instance->meta.uid) {
        leave_gate(key, state);
        state = {};
        state.uid = instance->meta.uid;
        state.status = StatusWriter::adopt(*instance, state.ledger, state.announced);
        services_.metrics.add_instance(key.str());
    }
    const bool was_usable = state.usable;
    const std::string said_before = state.outcome.reason + state.outcome.message;
    state.examined = co_await examine(instance, state);
    state.outcome = state.examined;
    if (state.usable && state.session->account->gate.breaker_open())
        state.outcome = outcome(reason::omni_unavailable,
                                "requests for several connections failed in a row; one at a time "
                                "is sent until Omni answers again");
    const bool new_spec =
        std::exchange(state.generation, instance->meta.generation) != instance->meta.generation;
    // An instance that shares the account may have asked.
    const bool new_list = replace(state.list_told, state.directory().asked_at);
    const bool newly_accepted = replace(state.acceptance_told, state.accepted_at());
    const bool news = new_spec || was_usable != state.usable || new_list || newly_accepted ||
                      said_before != state.outcome.reason + state.outcome.message;
    if (news)
        hooks_.changed(key);
    co_await write_status(instance, state);
    if (const auto again = std::exchange(state.examined.again, std::nullopt))
        hooks_.again_at(key, *again);
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
    const Account& account = *state.session->account;
    if (!state.doubted_at && account.refused_at > account.accepted_at) // another instance was told
        state.doubted_at = *account.refused_at - rt::Duration(1);
    const auto& asked_at = account.directory.asked_at;
    if (state.list_wish && asked_at && *asked_at >= state.list_wish->since)
        state.list_wish.reset();
    if (state.usable && !state.list_wish && !state.doubted_at)
        co_return state.examined;
    if (state.next_attempt && services_.runtime.now() < *state.next_attempt) {
        Outcome same = state.examined;
        same.again = state.next_attempt;
        co_return same;
    }
    if (state.doubted_at)
        co_return co_await settle_doubt(instance, state);
    co_return co_await read_list(instance, state);
}

std::optional<work::Grant> InstanceReconciler::enter_gate(const ObjectKey& key,
                                                          const InstanceState& state,
                                                          work::Errand errand) {
    // A group of their own: they do not wait for the pushes of a namespace.
    return state.session->account->gate.enter({.key = gate_key(key), .group = "", .errand = errand},
                                              [this, key] { hooks_.again(key); });
}

// An instance in use does not suffer from a read that waits.
Outcome InstanceReconciler::no_slot(const InstanceState& state) {
    if (state.usable)
        return state.examined;
    Outcome waiting =
        outcome(reason::rate_limited, "waiting for a free slot of the key's requests per minute");
    return waiting; // the gate wakes
}

asio::awaitable<Outcome> InstanceReconciler::read_list(Instance instance, InstanceState& state) {
    const ObjectKey key = instance->meta.key;
    const auto session = state.session;
    Account& account = *session->account;
    const ListWish wish = state.list_wish.value_or(ListWish{.since = services_.runtime.now()});
    const auto grant = enter_gate(key, state, state.usable ? wish.errand : work::Errand::lookup);
    if (!grant)
        co_return no_slot(state);
    const auto asked_at = services_.runtime.now();
    auto list = co_await session->omni.list_connections();
    finish_request(services_, account.gate, *grant, error_in(list), key);
    if (session != state.session)
        co_return state.examined; // another key meanwhile: its own reconcile follows
    const auto now = services_.runtime.now();
    if (list)
        co_return listed(state, std::move(*list), asked_at);
    const Error error = list.error();
    if (error.kind == ErrorClass::unauthorized) { // as good as an answer of whoami
        account.asked_at = account.refused_at = now;
        account.refusal = error.message;
        co_return key_refused(*instance, state);
    }
    if (error.kind != ErrorClass::forbidden && error.kind != ErrorClass::not_found)
        co_return failed(state, error);
    account.directory = {.by_id = {}, .asked_at = asked_at, .refused = true};
    state.list_wish.reset();
    state.doubted_at = now;
    co_return co_await settle_doubt(instance, state);
}

Outcome InstanceReconciler::listed(InstanceState& state,
                                   std::vector<omni::ConnectionInfo> connections,
                                   rt::TimePoint asked_at) {
    Account& account = *state.session->account;
    account.directory = {.by_id = {}, .asked_at = asked_at, .refused = false};
    for (auto& info : connections) {
        const std::string id = info.id;
        account.directory.by_id.insert_or_assign(id, std::move(info));
    }
    account.accepted_at = services_.runtime.now();
    if (state.list_wish && state.list_wish->since <= asked_at)
        state.list_wish.reset();
    state.usable = true;
    state.failures = 0;
    state.next_attempt.reset();
    Outcome good =
        outcome(reason::synced, "the key is accepted; it sees " +
                                    plural(account.directory.by_id.size(), "connection"));
    if (state.list_wish) // somebody wished for a later one meanwhile
        good.again = services_.runtime.now();
    return good;
}

// Whether the key is good: by what Omni said since it was doubted, to whichever instance that
// shares the key, or by asking. One question a minute is enough for a key; until its answer a 401
// is believed.
asio::awaitable<Outcome> InstanceReconciler::settle_doubt(Instance instance, InstanceState& state) {
    const Account& account = *state.session->account;
    const bool accepted = account.accepted_at > state.doubted_at;
    const bool refused = account.refused_at > state.doubted_at;
    if (accepted && account.accepted_at >= account.refused_at)
        co_return co_await key_accepted(instance, state);
    if (refused)
        co_return key_refused(*instance, state);
    if (account.asked_at && services_.runtime.now() < *account.asked_at + whoami_interval) {
        if (state.key_called_invalid)
            co_return key_refused(*instance, state);
        Outcome same = state.examined;
        same.again = *account.asked_at + whoami_interval;
        co_return same;
    }
    co_return co_await ask_whoami(instance, state);
}

asio::awaitable<Outcome> InstanceReconciler::ask_whoami(Instance instance, InstanceState& state) {
    const ObjectKey key = instance->meta.key;
    const auto session = state.session;
    Account& account = *session->account;
    const auto grant = enter_gate(key, state, work::Errand::lookup);
    if (!grant && state.key_called_invalid) {
        Outcome believed = key_refused(*instance, state);
        believed.again.reset(); // the gate wakes
        co_return believed;
    }
    if (!grant)
        co_return no_slot(state);
    account.asked_at = services_.runtime.now();
    auto answer = co_await session->omni.whoami();
    finish_request(services_, account.gate, *grant, error_in(answer), key);
    if (session != state.session)
        co_return state.examined;
    if (!answer && !key_or_rights(answer.error()))
        co_return failed(state, answer.error());
    (answer ? account.accepted_at : account.refused_at) = services_.runtime.now();
    account.refusal = answer ? "" : answer.error().message;
    wake_sharing(account);
    if (!answer)
        co_return key_refused(*instance, state);
    co_return co_await key_accepted(instance, state);
}

asio::awaitable<Outcome> InstanceReconciler::key_accepted(Instance instance, InstanceState& state) {
    const bool list_refused = state.directory().refused;
    state.doubted_at.reset();
    state.key_called_invalid = false;
    state.failures = 0;
    state.next_attempt.reset();
    if (!state.usable && !list_refused)
        co_return co_await read_list(instance, state);
    state.usable = true;
    co_return outcome(reason::synced, list_refused
                                          ? "the key is accepted, but may not list connections: "
                                            "dialects cannot be checked"
                                          : "the key is accepted");
}

Outcome InstanceReconciler::key_refused(const api::OmniInstance& instance, InstanceState& state) {
    Account& account = *state.session->account;
    const auto now = services_.runtime.now();
    if (account.directory.refused) // not for want of rights
        account.directory = {};
    state.usable = false;
    state.doubted_at = now;
    Outcome refused =
        outcome(reason::unauthorized, "Omni refuses the API key; put a valid one into Secret " +
                                          instance.meta.key.ns + "/" + instance.api_token.name +
                                          ". " + account.refusal);
    refused.again = account.asked_at.value_or(now) + whoami_interval;
    return refused;
}

Outcome InstanceReconciler::failed(InstanceState& state, const Error& error) {
    if (error.kind == ErrorClass::rate_limited) {
        Outcome limited =
            state.usable ? state.examined : outcome(reason::rate_limited, error.message);
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
