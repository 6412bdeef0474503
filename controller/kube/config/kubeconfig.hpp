// A kubeconfig (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/), as it is written:
// only the members that the operator knows, nothing decoded, no path resolved, no other file read.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <map>
#include <string>
#include <string_view>

namespace oco::kube {

inline constexpr std::size_t max_kubeconfig_bytes = 4 * 1024 * 1024;

// In each entry, `file` is the kubeconfig that defines it: relative paths start at its folder.
struct KubeconfigCluster {
    std::string file;
    std::string server;
    std::string tls_server_name;
    SecretBytes proxy_url; // it may hold a password
    std::string certificate_authority;
    std::string certificate_authority_data; // base64
    bool insecure_skip_tls_verify = false;
};

struct KubeconfigUser {
    std::string file;
    std::string client_certificate;
    std::string client_certificate_data; // base64
    std::string client_key;
    SecretBytes client_key_data; // base64
    SecretBytes token;
    std::string token_file;
    std::string unsupported_login; // the member ("exec") that asks for what we cannot do
    std::string impersonation;     // the same, for "as" and its kin
};

struct KubeconfigContext {
    std::string file;
    std::string cluster;
    std::string user;
    std::string default_namespace;
};

struct Kubeconfig {
    std::map<std::string, KubeconfigCluster, std::less<>> clusters;
    std::map<std::string, KubeconfigUser, std::less<>> users;
    std::map<std::string, KubeconfigContext, std::less<>> contexts;
    std::string current_context;
};

// YAML or JSON. `file` is what messages and entries name. Unknown members are ignored.
Result<Kubeconfig> parse_kubeconfig(std::string_view text, const std::string& file);

// Adds what `into` does not have yet: of each name, and of current-context, the first file wins
// whole; entries of one name are never blended.
void merge(Kubeconfig& into, Kubeconfig&& from);

} // namespace oco::kube
