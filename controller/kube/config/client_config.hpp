// How to reach the Kubernetes API server, and as whom: found as client-go finds it.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"
#include "net/proxy.hpp"
#include "net/server_url.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace oco::kube {

// Whether the server's certificate is checked.
enum class Verify { peer, none };

struct ClientConfig {
    net::ServerUrl server;
    std::string tls_server_name; // what the certificate must be for, and SNI; "": server.host
    Verify verify = Verify::peer;
    // The roots to trust, and, if they came from a file, its path: it changes when a cluster
    // renews its CA. Both empty: the system's roots.
    std::string ca_pem;
    std::string ca_file;
    // Both or neither; and the paths of those that came from files.
    std::string client_certificate_pem;
    SecretBytes client_key_pem;
    std::string client_certificate_file;
    std::string client_key_file;
    // Both empty: no bearer token. With a `token_file`, `token` is what to send until the file,
    // which is rotated, is read again; after that the file has precedence.
    SecretBytes token;
    std::string token_file;
    // A kubeconfig's proxy-url; null: it has none. (What the environment says is main's to add.)
    std::shared_ptr<const net::Proxy> proxy;
    // The pod's, or the context's; "" where neither says.
    std::string default_namespace;
    // Reads the kubeconfig again, with the files that it names; null: there is none.
    std::function<Result<ClientConfig>()> reload;
    std::string source; // for log lines: "in-cluster", or the kubeconfig and the context
};

inline constexpr std::size_t max_config_file_bytes = 4 * 1024 * 1024;

// All that the loader may touch, so that tests need neither files nor an environment.
struct Environment {
    // nullopt where it is not set.
    std::function<std::optional<std::string>(const std::string& name)> variable;
    // ErrorClass::not_found where there is no such file; other errors in any other class, with a
    // message such as "Permission denied". Stop reading after `max_config_file_bytes` + 1 bytes
    // (/dev/zero is a file too); the loader refuses what is larger.
    std::function<Result<SecretBytes>(const std::string& path)> read_file;
};

struct ConfigFlags {
    std::string kubeconfig; // --kubeconfig
    std::string context;    // --context
};

// The first of these that is there:
//  1. --kubeconfig, which must exist;
//  2. the service account of the pod that we run in, unless --context asks for a kubeconfig;
//  3. the files in $KUBECONFIG, merged; missing ones are skipped. If it is set, 4 is not tried;
//  4. ~/.kube/config.
// As with client-go, no credentials go to a server addressed by plain http. Unlike client-go, a
// context that names an undefined user is an error rather than anonymous.
//
// Errors are all ErrorClass::invalid: one line that names the file and the entry and says what to
// do. None holds any part of a credential.
Result<ClientConfig> load_client_config(const ConfigFlags& flags, const Environment& environment);

} // namespace oco::kube
