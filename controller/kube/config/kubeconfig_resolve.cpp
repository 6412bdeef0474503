#include "kube/config/kubeconfig_resolve.hpp"

#include "base/dns_name.hpp"
#include "base/text.hpp"
#include "kube/config/config_files.hpp"
#include "net/authority.hpp"

namespace oco::kube {
namespace {

constexpr std::size_t max_name_shown = 64;

std::string in_quotes(std::string_view name) {
    return '"' + printable(name, max_name_shown) + '"';
}

std::string in_file(std::string_view file) {
    return "kubeconfig " + printable(file, 300) + ": ";
}

// "it has "a", "b" and 3 more"
std::string list_contexts(const Kubeconfig& kubeconfig) {
    constexpr std::size_t max_listed = 10;
    if (kubeconfig.contexts.empty())
        return "it defines no contexts";
    std::vector<std::string> names;
    names.reserve(kubeconfig.contexts.size());
    for (const auto& [name, context] : kubeconfig.contexts)
        names.push_back(in_quotes(name));
    return "it has " + list_some(names, max_listed);
}

Result<void> add_cluster(const ConfigFiles& files, const KubeconfigCluster& cluster,
                         ClientConfig& config) {
    if (cluster.server.empty())
        return files.error("has no server: set it to a URL such as https://host:6443");
    auto server = net::parse_server_url(cluster.server);
    if (!server)
        return files.error("server " + server.error().message);
    config.server = std::move(*server);
    if (!cluster.proxy_url.empty()) {
        auto proxy = net::parse_proxy_url(cluster.proxy_url.expose());
        if (!proxy)
            return files.error("proxy-url " + proxy.error().message);
        config.proxy = std::move(*proxy);
    }
    if (config.server.scheme == net::Scheme::http)
        return {};
    if (!cluster.tls_server_name.empty() && !net::is_host(cluster.tls_server_name))
        return files.error("tls-server-name must be a host name");
    config.tls_server_name = cluster.tls_server_name;

    const bool has_data = !cluster.certificate_authority_data.empty();
    if (cluster.insecure_skip_tls_verify) {
        if (has_data || !cluster.certificate_authority.empty())
            return files.error("sets a certificate-authority and insecure-skip-tls-verify: remove "
                               "the latter");
        config.verify = Verify::none;
        return {};
    }
    const auto ca = files.data_or_file("certificate-authority", cluster.certificate_authority_data,
                                       cluster.certificate_authority);
    if (!ca)
        return ca.error();
    if (!has_data && cluster.certificate_authority.empty())
        return {};
    const char* const member = has_data ? "certificate-authority-data" : "certificate-authority";
    if (const auto checked = files.check_certificate(member, ca->expose()); !checked)
        return checked.error();
    config.ca_pem = ca->expose();
    if (!has_data)
        config.ca_file = files.absolute(cluster.certificate_authority);
    return {};
}

Result<void> add_token(const ConfigFiles& files, const KubeconfigUser& user, ClientConfig& config) {
    if (!user.token.empty()) {
        if (!is_bearer_token(user.token.expose()))
            return files.error("token holds characters that no bearer token has: correct it");
        config.token = user.token.clone();
    }
    if (user.token_file.empty())
        return {};
    config.token_file = files.absolute(user.token_file);
    auto token = files.read_token("tokenFile", user.token_file);
    if (token)
        config.token = std::move(*token);
    else if (config.token.empty()) // else the file may come later, as with client-go
        return token.error();
    return {};
}

Result<void> add_client_certificate(const ConfigFiles& files, const KubeconfigUser& user,
                                    ClientConfig& config) {
    const bool has_certificate =
        !user.client_certificate.empty() || !user.client_certificate_data.empty();
    const bool has_key = !user.client_key.empty() || !user.client_key_data.empty();
    if (has_certificate && !has_key)
        return files.error("has a client-certificate but no client-key: set client-key or "
                           "client-key-data");
    if (!has_certificate) {
        // client-go ignores the key. That can only be meant where something else logs in.
        if (has_key && config.token.empty())
            return files.error("has a client-key but no client-certificate: set "
                               "client-certificate or client-certificate-data");
        return {};
    }
    const auto certificate = files.data_or_file("client-certificate", user.client_certificate_data,
                                                user.client_certificate);
    if (!certificate)
        return certificate.error();
    auto key = files.data_or_file("client-key", user.client_key_data.expose(), user.client_key);
    if (!key)
        return key.error();
    if (const auto checked = files.check_certificate("client-certificate", certificate->expose());
        !checked)
        return checked.error();
    if (const auto checked = files.check_key("client-key", key->expose()); !checked)
        return checked.error();
    config.client_certificate_pem = certificate->expose();
    config.client_key_pem = std::move(*key);
    if (user.client_certificate_data.empty())
        config.client_certificate_file = files.absolute(user.client_certificate);
    if (user.client_key_data.empty())
        config.client_key_file = files.absolute(user.client_key);
    return {};
}

Result<void> add_user(const ConfigFiles& files, const KubeconfigUser& user, ClientConfig& config) {
    // Ignoring it would act with more rights than were asked for.
    if (!user.impersonation.empty())
        return files.error("sets " + user.impersonation +
                           ", but impersonation is not supported: use a user with the rights "
                           "themselves");
    if (config.server.scheme == net::Scheme::http)
        return {};
    if (!user.unsupported_login.empty())
        return files.error("uses " + user.unsupported_login +
                           ", which is not supported: use a service-account token or a client "
                           "certificate");
    if (auto added = add_token(files, user, config); !added)
        return added;
    return add_client_certificate(files, user, config);
}

// The chosen context: its name and itself.
Result<const std::pair<const std::string, KubeconfigContext>*>
choose_context(const Kubeconfig& kubeconfig, const std::string& files, const std::string& flag) {
    const std::string& name = flag.empty() ? kubeconfig.current_context : flag;
    if (name.empty())
        return invalid(in_file(files) + "sets no current-context: choose one with --context; " +
                       list_contexts(kubeconfig));
    const auto found = kubeconfig.contexts.find(name);
    if (found == kubeconfig.contexts.end())
        return invalid(in_file(files) + "has no context " + in_quotes(name) + ", which " +
                       (flag.empty() ? "current-context" : "--context") + " names; " +
                       list_contexts(kubeconfig));
    return &*found;
}

} // namespace

Result<ClientConfig> resolve_kubeconfig(const Kubeconfig& kubeconfig, const std::string& files,
                                        const std::string& context_flag,
                                        const Environment& environment) {
    const auto chosen = choose_context(kubeconfig, files, context_flag);
    if (!chosen)
        return chosen.error();
    const auto& [name, context] = **chosen;
    const std::string where = in_file(context.file) + "context " + in_quotes(name);
    const auto cluster = kubeconfig.clusters.find(context.cluster);
    if (context.cluster.empty())
        return invalid(where + " names no cluster: set one");
    if (cluster == kubeconfig.clusters.end())
        return invalid(where + " names cluster " + in_quotes(context.cluster) +
                       ", which is not defined: define it or correct the context");
    const auto user = kubeconfig.users.find(context.user);
    if (!context.user.empty() && user == kubeconfig.users.end())
        return invalid(where + " names user " + in_quotes(context.user) +
                       ", which is not defined: define it or correct the context");
    if (!context.default_namespace.empty() && !is_dns_label(context.default_namespace))
        return invalid(where + " has a namespace that is no namespace name: correct it");

    ClientConfig config;
    config.source = in_file(context.file) + "context " + in_quotes(name);
    config.default_namespace = context.default_namespace;
    const ConfigFiles cluster_files(
        environment, in_file(cluster->second.file) + "cluster " + in_quotes(cluster->first),
        cluster->second.file);
    if (const auto added = add_cluster(cluster_files, cluster->second, config); !added)
        return added.error();
    if (context.user.empty())
        return config; // anonymous
    const ConfigFiles user_files(environment,
                                 in_file(user->second.file) + "user " + in_quotes(user->first),
                                 user->second.file);
    if (const auto added = add_user(user_files, user->second, config); !added)
        return added.error();
    return config;
}

} // namespace oco::kube
