// What an InstanceReconciler reads from Omni: the list of connections, and whether the key is good.
#include "reconcile/account/granted_request.hpp"
#include "reconcile/account/instance_reconciler.hpp"
#include "rt/backoff.hpp"

#include <utility>

namespace oco::reconcile {
namespace {

constexpr rt::Duration whoami_interval = std::chrono::minutes(1);
constexpr rt::BackoffPolicy instance_backoff{.first = std::chrono::seconds(1),
                                             .longest = std::chrono::minutes(5)};

std::string plural(std::size_t count, std::string_view noun) {
    return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

bool key_or_rights(const Error& error) {
    return error.kind == ErrorClass::unauthorized || error.kind == ErrorClass::forbidden;
}

template<class T>
std::optional<Error> error_in(const Result<T>& result) {
    return result.has_error() ? std::optional(result.error()) : std::nullopt;
}

} // namespace

Outcome InstanceReconciler::accepted(const Directory& directory) {
    if (directory.refused)
        return outcome(reason::synced, "the API key is accepted, but may not list connections, "
                                       "so their dialects can't be checked");
    return outcome(reason::synced, "the API key is accepted and can see " +
                                       plural(directory.by_id.size(), "connection"));
}

std::string InstanceReconciler::scheduler_key(const ObjectKey& instance) {
    return "instance " + instance.str();
}

std::optional<work::Grant> InstanceReconciler::acquire_slot(const ObjectKey& key,
                                                            const InstanceState& state,
                                                            work::RequestClass request_class) {
    // A group of their own: they do not wait for the pushes of a namespace.
    return state.client->account->scheduler.acquire(
        {.key = scheduler_key(key), .flow = "", .request_class = request_class},
        [this, key] { hooks_.requeue(key); });
}

// An instance in use does not suffer from a read that waits.
Outcome InstanceReconciler::no_slot(const InstanceState& state) {
    if (state.usable || state.examined.readiness == Readiness::failing)
        return state.examined;
    return outcome(reason::rate_limited, // the scheduler wakes
                   "waiting for its turn among the API key's requests per minute");
}

asio::awaitable<Outcome> InstanceReconciler::read_list(Instance instance, InstanceState& state) {
    const ObjectKey key = instance->meta.key;
    const auto client = state.client;
    Account& account = *client->account;
    const ListRequest wanted =
        state.list_request.value_or(ListRequest{.since = services_.runtime.now()});
    const auto grant =
        acquire_slot(key, state, state.usable ? wanted.request_class : work::RequestClass::lookup);
    if (!grant)
        co_return no_slot(state);
    GrantedRequest request(services_, client->account, *grant, key);
    const auto asked_at = services_.runtime.now();
    omni::ListMemory::Share memory(list_memory_);
    auto list = co_await client->omni.list_connections(memory);
    request.over(error_in(list));
    if (client != state.client)
        co_return state.examined; // another key meanwhile: its own reconcile follows
    const auto now = services_.runtime.now();
    if (list)
        co_return listed(state, std::move(*list), std::move(memory), asked_at);
    const Error error = list.error();
    if (error.kind == ErrorClass::unauthorized) { // as good as an answer of whoami
        account.asked_at = account.refused_at = now;
        account.refusal = error.message;
        co_return key_refused(*instance, state);
    }
    if (error.kind != ErrorClass::forbidden && error.kind != ErrorClass::not_found)
        co_return failed(state, error);
    account.directory =
        std::make_shared<const Directory>(Directory{.asked_at = asked_at, .refused = true});
    state.list_request.reset();
    state.doubted_at = now;
    co_return co_await resolve_key_doubt(instance, state);
}

Outcome InstanceReconciler::listed(InstanceState& state,
                                   std::vector<omni::ConnectionInfo> connections,
                                   omni::ListMemory::Share memory, rt::TimePoint asked_at) const {
    Account& account = *state.client->account;
    Directory directory{.asked_at = asked_at,
                        .memory =
                            std::make_shared<const omni::ListMemory::Share>(std::move(memory))};
    for (auto& info : connections) {
        const std::string id = info.id;
        directory.by_id.insert_or_assign(id, std::move(info));
    }
    account.directory = std::make_shared<const Directory>(std::move(directory));
    account.accepted_at = services_.runtime.now();
    if (state.list_request && state.list_request->since <= asked_at)
        state.list_request.reset();
    state.usable = true;
    state.failures = 0;
    state.next_attempt.reset();
    Outcome good = accepted(*account.directory);
    if (state.list_request) // somebody wished for a later one meanwhile
        good.requeue_at = services_.runtime.now();
    return good;
}

// Whether the key is good: by what Omni said since it was doubted, to whichever instance that
// shares the key, or by asking. One question a minute is enough for a key; until its answer a 401
// is believed.
asio::awaitable<Outcome> InstanceReconciler::resolve_key_doubt(Instance instance,
                                                               InstanceState& state) {
    const auto account = state.client->account;
    const bool accepted = account->accepted_at > state.doubted_at;
    const bool refused = account->refused_at > state.doubted_at;
    if (accepted && account->accepted_at >= account->refused_at)
        co_return co_await key_accepted(instance, state);
    if (refused)
        co_return key_refused(*instance, state);
    if (account->asked_at && services_.runtime.now() < *account->asked_at + whoami_interval) {
        if (state.key_called_invalid)
            co_return key_refused(*instance, state);
        if (state.list_request && state.usable)
            co_return co_await read_list(instance, state); // which tells as much of the key
        Outcome same = state.examined;
        same.requeue_at = *account->asked_at + whoami_interval;
        co_return same;
    }
    co_return co_await ask_whoami(instance, state);
}

asio::awaitable<Outcome> InstanceReconciler::ask_whoami(Instance instance, InstanceState& state) {
    const ObjectKey key = instance->meta.key;
    const auto client = state.client;
    Account& account = *client->account;
    const auto grant = acquire_slot(key, state, work::RequestClass::lookup);
    if (!grant && state.key_called_invalid) {
        Outcome believed = key_refused(*instance, state);
        believed.requeue_at.reset(); // the scheduler wakes
        co_return believed;
    }
    if (!grant)
        co_return no_slot(state);
    GrantedRequest request(services_, client->account, *grant, key);
    account.asked_at = services_.runtime.now();
    auto answer = co_await client->omni.whoami();
    request.over(error_in(answer));
    if (client != state.client)
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
    const bool list_refused = state.directory()->refused;
    state.doubted_at.reset();
    state.key_called_invalid = false;
    state.failures = 0;
    state.next_attempt.reset();
    if ((!state.usable || state.list_request) && !list_refused)
        co_return co_await read_list(instance, state);
    state.usable = true;
    co_return accepted(*state.directory());
}

Outcome InstanceReconciler::key_refused(const api::OmniInstance& instance,
                                        InstanceState& state) const {
    Account& account = *state.client->account;
    const auto now = services_.runtime.now();
    if (account.directory->refused) // not for want of rights
        account.directory = std::make_shared<const Directory>();
    state.usable = false;
    state.doubted_at = state.refused_at = now;
    Outcome refused =
        outcome(reason::unauthorized, "Omni refuses the API key; put a valid key into Secret " +
                                          instance.meta.key.ns + "/" + instance.api_token.name +
                                          ". " + account.refusal);
    refused.requeue_at = account.asked_at.value_or(now) + whoami_interval;
    return refused;
}

Outcome InstanceReconciler::failed(InstanceState& state, const Error& error) {
    if (error.kind == ErrorClass::rate_limited) {
        Outcome limited =
            state.usable ? state.examined : outcome(reason::rate_limited, error.message);
        limited.requeue_at = services_.runtime.now() + std::chrono::seconds(1);
        return limited;
    }
    ++state.failures;
    state.next_attempt =
        services_.runtime.now() + rt::backoff(services_.runtime, instance_backoff, state.failures);
    Outcome out = outcome(error.kind == ErrorClass::tls ? reason::tls_verification_failed
                                                        : reason::omni_unavailable,
                          error.message);
    out.requeue_at = state.next_attempt;
    return out;
}

} // namespace oco::reconcile
