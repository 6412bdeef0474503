// An OmniInstance's account and its client: which host, with which key, trust and budget.
#include "base/digest.hpp"
#include "base/text.hpp"
#include "kube/config/config_files.hpp"
#include "reconcile/account/instance_reconciler.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {
namespace {

// With what is no API key.
std::string what_is_wrong(const SecretBytes& key) {
    const std::string_view text = key.expose();
    if (text.empty())
        return "is empty; put the API key there";
    if (text.starts_with("Bearer ") || text.starts_with('{'))
        return "holds more than the API key; put the key alone there, without \"Bearer\", quotes "
               "or JSON around it";
    if (text.find_first_of(" \t\r\n") != std::string_view::npos)
        return "holds several words or lines; put the API key alone there";
    return "holds characters that no API key has (only visible ASCII is sent); copy the key again";
}

} // namespace

asio::awaitable<std::optional<Outcome>> InstanceReconciler::prepare_client(Instance instance,
                                                                           InstanceState& state) {
    const std::string& ns = instance->meta.key.ns;
    const auto url = services_.settings.allowed_hosts.admit(
        instance->base_url,
        services_.settings.allow_http ? PlainHttp::allowed : PlainHttp::refused);
    if (!url)
        co_return outcome(reason::host_not_allowed, url.error().message);

    const ObjectKey token_key{.ns = ns, .name = instance->api_token.name};
    auto read = co_await services_.secrets.read(token_key, {instance->api_token.key}, "");
    if (!read)
        co_return secret_outcome(read.error(), token_key);
    const std::string& operator_ns = services_.settings.operator_namespace;
    if (auto refused = refuse_secret(token_key, read->type, operator_ns, "API key"))
        co_return *refused;
    const auto value = read->values.find(instance->api_token.key);
    if (value == read->values.end())
        co_return missing_key_outcome(token_key, instance->api_token.key);
    const SecretBytes token{trim(value->second->expose())};
    if (!kube::is_bearer_token(token.expose()))
        co_return outcome(reason::invalid_credential, "Secret " + token_key.str() + ", key \"" +
                                                          instance->api_token.key +
                                                          "\": " + what_is_wrong(token));

    std::string ca_pem;
    if (instance->ca_bundle) {
        const ObjectKey ca_key{.ns = ns, .name = instance->ca_bundle->name};
        auto ca = co_await services_.secrets.read(ca_key, {instance->ca_bundle->key}, "");
        if (!ca)
            co_return secret_outcome(ca.error(), ca_key);
        if (auto refused = refuse_secret(ca_key, ca->type, operator_ns, "CA's certificate"))
            co_return *refused;
        const auto pem = ca->values.find(instance->ca_bundle->key);
        if (pem == ca->values.end())
            co_return missing_key_outcome(ca_key, instance->ca_bundle->key);
        ca_pem = pem->second->expose();
    }

    const std::string identity =
        fingerprint(instance->base_url + '\0' + fingerprint(token.expose()) + '\0' + ca_pem);
    if (state.client && state.client_identity == identity) {
        apply_limit(*state.client->account);
        co_return std::nullopt;
    }
    rt::Endpoint endpoint{.host = url->host, .port = url->port};
    if (url->https) {
        auto tls = trust(ca_pem);
        if (!tls)
            co_return outcome(reason::invalid_credential,
                              "spec.caBundleSecretRef: " + tls.error().message);
        endpoint.tls = *tls;
        endpoint.proxy = services_.settings.proxies.proxy_for(url->host, url->port);
    }
    cancel_wait(instance->meta.key, state);
    const auto left = state.client ? state.client->account : nullptr;
    state.client = std::make_shared<AccountClient>(
        services_.runtime, url->label(), std::move(endpoint), services_.settings.user_agent, token,
        account_of(*instance, *url, token),
        [&metrics = services_.metrics,
         name = instance->meta.key.str()](std::string_view method, int code, rt::Duration took) {
            metrics.omni_request(name, method, code, ops::Seconds(took));
        });
    state.client_identity = identity;
    apply_limit(*state.client->account);
    if (left && left != state.client->account)
        apply_limit(*left);
    forget_unused_accounts();
    state.usable = false;
    state.list_request.reset();
    state.next_attempt.reset();
    state.doubted_at.reset();
    state.key_called_invalid = false;
    state.failures = 0;
    state.examined = state.outcome = outcome(reason::progressing, "checking the API key");
    co_return std::nullopt;
}

// Instances with the same CAs share what was read of them, the system's roots included: that takes
// time, and a megabyte.
Result<std::shared_ptr<net::TlsContext>> InstanceReconciler::trust(const std::string& ca_pem) {
    std::erase_if(trusted_, [](const auto& entry) { return entry.second.expired(); });
    auto& shared = trusted_[fingerprint(ca_pem)];
    if (auto known = shared.lock())
        return known;
    auto made = net::make_tls_context({.extra_ca_pem = ca_pem,
                                       .ca_setting = "spec.caBundleSecretRef",
                                       .host_setting = "spec.baseURL"});
    if (made)
        shared = *made;
    return made;
}

std::shared_ptr<Account> InstanceReconciler::account_of(const api::OmniInstance& instance,
                                                        const BaseUrl& url,
                                                        const SecretBytes& token) {
    const std::string label = url.label() + " " + fingerprint(token.expose());
    auto& account = accounts_[label];
    if (!account) {
        account = std::make_shared<Account>(
            services_.runtime, static_cast<int>(instance.requests_per_minute), [this, label] {
                if (const auto it = accounts_.find(label); it != accounts_.end())
                    wake_sharing(*it->second);
            });
        if (auto spent = spent_.extract(label))
            account->scheduler.resume(std::move(spent.mapped()));
        if (reserved_until_ != rt::TimePoint())
            account->scheduler.inherit(inherited_[url.label()], reserved_until_);
        constexpr auto run_scheduler = [](std::shared_ptr<Account> its) -> asio::awaitable<void> {
            co_await its->scheduler.run();
        };
        tasks_.spawn(run_scheduler(account));
    }
    return account;
}

Budgets InstanceReconciler::budgets() const {
    Budgets out = spent_;
    for (const auto& [label, account] : accounts_)
        out.insert_or_assign(label, account->scheduler.spent());
    return out;
}

void InstanceReconciler::omni_answers(const Account& account) {
    for (const auto& [key, state] : states_)
        if (state->next_attempt && state->client && state->client->account.get() == &account) {
            state->next_attempt.reset();
            hooks_.requeue(key);
        }
}

// Of instances that share a key, the lowest limit applies.
void InstanceReconciler::apply_limit(Account& account) {
    std::optional<std::int64_t> lowest;
    for (const auto& [key, state] : states_) {
        const Instance instance = caches_.instances.get(key);
        if (instance && state->client && state->client->account.get() == &account)
            lowest = std::min(lowest.value_or(instance->requests_per_minute),
                              instance->requests_per_minute);
    }
    if (lowest)
        account.scheduler.set_limit(static_cast<int>(*lowest));
}

// Keys that were rotated away, once nothing they have spent counts any more.
void InstanceReconciler::forget_unused_accounts() {
    std::erase_if(accounts_, [](const auto& entry) {
        const auto& account = entry.second;
        // This map and the task that runs the scheduler.
        if (account.use_count() > 2 || !account->scheduler.idle())
            return false;
        account->scheduler.close();
        return true;
    });
}

} // namespace oco::reconcile
