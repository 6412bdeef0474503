#include "kube/config/client_config.hpp"

#include "base/dns_name.hpp"
#include "base/text.hpp"
#include "kube/config/config_files.hpp"
#include "kube/config/kubeconfig.hpp"
#include "kube/config/kubeconfig_resolve.hpp"
#include "net/authority.hpp"

#include <algorithm>
#include <vector>

namespace oco::kube {
namespace {

constexpr const char* in_cluster_source = "in-cluster";
constexpr const char* account_token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
constexpr const char* account_ca = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
constexpr const char* account_namespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

// Set but empty is the same as not set, as for client-go.
std::string variable(const Environment& environment, const char* name) {
    return environment.variable(name).value_or("");
}

// "" if we run in a cluster, else how we know that we don't.
std::string why_not_in_cluster(const ConfigFlags& flags, const Environment& environment) {
    if (!flags.context.empty())
        return "not asked for, since --context names a context of a kubeconfig";
    for (const char* name : {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"})
        if (variable(environment, name).empty())
            return std::string(name) + " is not set";
    const auto token = environment.read_file(account_token);
    if (!token && token.error().kind == ErrorClass::not_found)
        return std::string("there is no ") + account_token;
    return {};
}

Result<ClientConfig> in_cluster(const Environment& environment) {
    ClientConfig config;
    config.source = in_cluster_source;
    const std::string host = variable(environment, "KUBERNETES_SERVICE_HOST");
    const auto port = net::parse_port(variable(environment, "KUBERNETES_SERVICE_PORT"));
    if (!net::is_host(host) || !port)
        return invalid("in-cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be a "
                       "host and a port: unset them or name a --kubeconfig");
    config.server = {
        .scheme = net::Scheme::https, .host = to_lower(host), .port = *port, .path_prefix = ""};

    const ConfigFiles files(environment, in_cluster_source, "");
    auto token = files.read_token("the service-account token", account_token);
    if (!token)
        return token.error();
    config.token = std::move(*token);
    config.token_file = account_token;

    const auto ca = files.read("the cluster's CA", account_ca);
    if (!ca)
        return ca.error();
    if (const auto checked = files.check_certificate("the cluster's CA", ca->expose()); !checked)
        return checked.error();
    config.ca_pem = ca->expose();
    config.ca_file = account_ca;

    config.default_namespace = variable(environment, "POD_NAMESPACE");
    if (config.default_namespace.empty())
        if (const auto file = environment.read_file(account_namespace))
            config.default_namespace = trim(file->expose());
    if (!config.default_namespace.empty() && !is_dns_label(config.default_namespace))
        return invalid("in-cluster: the pod's namespace (POD_NAMESPACE, or the service account's "
                       "file) is no namespace name");
    return config;
}

// $KUBECONFIG is a list; empty entries mean nothing.
std::vector<std::string> split_paths(std::string_view list) {
    std::vector<std::string> out;
    while (!list.empty()) {
        const auto path = list.substr(0, list.find(':'));
        list.remove_prefix(std::min(path.size() + 1, list.size()));
        if (!path.empty())
            out.emplace_back(path);
    }
    return out;
}

struct Merged {
    Kubeconfig kubeconfig;
    std::string files; // those that exist, joined with ':'
    bool empty = true; // not even a comment in any of them
};

Error unreadable(const std::string& path, const Error& error) {
    const std::string what =
        "kubeconfig " + printable(path) + ": cannot be read: " + printable(error.message, 100);
    return invalid(what +
                   "; name a file that the operator's user may read, with --kubeconfig or in "
                   "$KUBECONFIG");
}

Result<Merged> read_kubeconfigs(const std::vector<std::string>& paths,
                                const Environment& environment) {
    Merged out;
    for (const std::string& path : paths) {
        const auto text = environment.read_file(path);
        if (!text && text.error().kind == ErrorClass::not_found)
            continue;
        if (!text)
            return unreadable(path, text.error());
        out.empty = out.empty && trim(text->expose()).empty();
        auto kubeconfig = parse_kubeconfig(text->expose(), path);
        if (!kubeconfig)
            return kubeconfig.error();
        merge(out.kubeconfig, std::move(*kubeconfig));
        out.files += (out.files.empty() ? "" : ":") + path;
    }
    return out;
}

Error nothing_found(const std::string& not_in_cluster, const std::string& listed) {
    const std::string files = listed.empty()
                                  ? "$KUBECONFIG is not set; there is no ~/.kube/config"
                                  : "$KUBECONFIG (" + printable(listed, 200) +
                                        ") names no file that exists, and while it is set "
                                        "~/.kube/config is not read";
    return invalid("no Kubernetes configuration found: in-cluster: " + not_in_cluster + "; " +
                   files + "; name a file with --kubeconfig");
}

Result<ClientConfig> find_client_config(const ConfigFlags& flags, const Environment& environment) {
    std::vector<std::string> paths;
    std::string not_in_cluster;
    const std::string listed = variable(environment, "KUBECONFIG");
    if (!flags.kubeconfig.empty()) {
        paths = {flags.kubeconfig};
    } else {
        not_in_cluster = why_not_in_cluster(flags, environment);
        if (not_in_cluster.empty())
            return in_cluster(environment);
        const std::string home = variable(environment, "HOME");
        if (!listed.empty())
            paths = split_paths(listed);
        else if (!home.empty())
            paths = {home + "/.kube/config"};
    }
    auto merged = read_kubeconfigs(paths, environment);
    if (!merged)
        return merged.error();
    if (!merged->files.empty() && merged->empty)
        return invalid(
            "kubeconfig " + printable(merged->files) +
            ": is empty: write one (kubectl config view --raw --minify), or name another "
            "with --kubeconfig");
    if (!merged->files.empty())
        return resolve_kubeconfig(merged->kubeconfig, merged->files, flags.context, environment);
    if (!flags.kubeconfig.empty())
        return invalid("kubeconfig " + printable(flags.kubeconfig) +
                       ": there is no such file: correct --kubeconfig");
    return nothing_found(not_in_cluster, listed);
}

} // namespace

Result<ClientConfig> load_client_config(const ConfigFlags& flags, const Environment& environment) {
    auto config = find_client_config(flags, environment);
    if (config && config->source != in_cluster_source)
        config->reload = [flags, environment] {
            return find_client_config(flags, environment);
        };
    return config;
}

} // namespace oco::kube
