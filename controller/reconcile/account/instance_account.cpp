// An OmniInstance's account and its client: which host, with which key, trust and budget.
#include "base/digest.hpp"
#include "base/text.hpp"
#include "kube/config/config_files.hpp"
#include "reconcile/account/instance_reconciler.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {

asio::awaitable<std::optional<Outcome>> InstanceReconciler::prepare_client(Instance instance,
                                                                           InstanceState& state) {
    const std::string& ns = instance->meta.key.ns;
    const auto url = parse_base_url(instance->base_url);
    if (!url || !services_.settings.allowed_hosts.allows(*url))
        co_return outcome(reason::host_not_allowed,
                          url ? "spec.baseURL: host " + url->label() +
                                    " is not allowed by the operator's --allowed-hosts"
                              : url.error().message);
    if (!url->https && !services_.settings.allow_http)
        co_return outcome(reason::host_not_allowed,
                          "spec.baseURL: http is refused, since keys would travel readable; use "
                          "https (tests may set --insecure-allow-http)");

    const ObjectKey token_key{.ns = ns, .name = instance->api_token.name};
    auto read =
        co_await kube::read_secret(services_.kube, token_key, {instance->api_token.key}, "");
    if (!read)
        co_return secret_outcome(read.error(), token_key);
    const auto value = read->values.find(instance->api_token.key);
    if (value == read->values.end())
        co_return missing_key_outcome(token_key, instance->api_token.key);
    const SecretBytes token{trim(value->second.expose())};
    if (!kube::is_bearer_token(token.expose()))
        co_return outcome(reason::invalid_credential,
                          "Secret " + token_key.str() + ", key \"" + instance->api_token.key +
                              "\": an API token is one word of visible ASCII characters");

    std::string ca_pem;
    if (instance->ca_bundle) {
        const ObjectKey ca_key{.ns = ns, .name = instance->ca_bundle->name};
        auto ca =
            co_await kube::read_secret(services_.kube, ca_key, {instance->ca_bundle->key}, "");
        if (!ca)
            co_return secret_outcome(ca.error(), ca_key);
        const auto pem = ca->values.find(instance->ca_bundle->key);
        if (pem == ca->values.end())
            co_return missing_key_outcome(ca_key, instance->ca_bundle->key);
        ca_pem = pem->second.expose();
    }

    const std::string identity =
        fingerprint(instance->base_url + '\0' + fingerprint(token.expose()) + '\0' + ca_pem);
    if (state.client && state.client_identity == identity) {
        apply_limit(*state.client->account);
        co_return std::nullopt;
    }
    rt::Endpoint endpoint{.host = url->host, .port = url->port};
    if (url->https) {
        auto tls = net::make_tls_context({.extra_ca_pem = ca_pem});
        if (!tls)
            co_return outcome(reason::invalid_credential,
                              "spec.caBundleSecretRef: " + tls.error().message);
        endpoint.tls = *tls;
        endpoint.proxy = services_.settings.proxies.proxy_for(url->host, url->port);
    }
    cancel_wait(instance->meta.key, state);
    state.client = std::make_shared<AccountClient>(
        services_.runtime, url->label(), std::move(endpoint), services_.settings.user_agent, token,
        account_of(*instance, *url, token),
        [&metrics = services_.metrics,
         name = instance->meta.key.str()](std::string_view method, int code, rt::Duration took) {
            metrics.omni_request(name, method, code, ops::Seconds(took));
        });
    state.client_identity = identity;
    apply_limit(*state.client->account);
    forget_unused_accounts();
    state.usable = false;
    state.list_request.reset();
    state.next_attempt.reset();
    state.doubted_at.reset();
    state.key_called_invalid = false;
    state.failures = 0;
    state.examined = state.outcome = outcome(reason::progressing, "the key is being checked");
    co_return std::nullopt;
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
        account->scheduler.inherit(inherited_[url.label()], reserved_until_);
        constexpr auto run_scheduler = [](std::shared_ptr<Account> its) -> asio::awaitable<void> {
            co_await its->scheduler.run();
        };
        tasks_.spawn(run_scheduler(account));
    }
    return account;
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
