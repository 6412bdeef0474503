// Files and environment variables for the configuration loader, as data.
#pragma once

#include "base/base64.hpp"
#include "kube/config/client_config.hpp"

#include <map>
#include <string>

namespace oco::test {

// In every credential of these tests, so that a message which quotes one is noticed.
inline constexpr std::string_view marker = "s3cr3t";

inline const std::string ca_pem =
    "-----BEGIN CERTIFICATE-----\nMIIs3cr3t\n-----END CERTIFICATE-----\n";
inline const std::string key_pem =
    "-----BEGIN PRIVATE KEY-----\nMIIs3cr3tkey\n-----END PRIVATE KEY-----\n";

inline const std::string account = "/var/run/secrets/kubernetes.io/serviceaccount/";

struct FakeEnvironment {
    std::map<std::string, std::string> variables{};
    std::map<std::string, std::string> files{};
    std::string unreadable = ""; // a path that exists but can't be read

    [[nodiscard]] Result<kube::ClientConfig> load(const kube::ConfigFlags& flags = {}) const {
        return kube::load_client_config(
            flags, {.variable = [this](const std::string& name) -> std::optional<std::string> {
                        const auto found = variables.find(name);
                        return found == variables.end() ? std::nullopt
                                                        : std::optional(found->second);
                    },
                    .read_file = [this](const std::string& path) -> Result<SecretBytes> {
                        if (path == unreadable)
                            return make_error(ErrorClass::forbidden, "Permission denied");
                        const auto found = files.find(path);
                        if (found == files.end())
                            return make_error(ErrorClass::not_found, "No such file or directory");
                        return SecretBytes(found->second);
                    }});
    }
};

inline FakeEnvironment pod() {
    return {
        .variables = {{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}},
        .files = {{account + "token", "s3cr3t-pod\n"},
                  {account + "ca.crt", ca_pem},
                  {account + "namespace", "omni\n"}}};
}

// A kubeconfig with one cluster, user and context, each of the given members.
inline std::string kubeconfig(const std::string& cluster, const std::string& user,
                              const std::string& context = "cluster: c, user: u") {
    return "apiVersion: v1\nkind: Config\ncurrent-context: prod\n"
           "clusters: [{name: c, cluster: {" +
           cluster +
           "}}]\n"
           "users: [{name: u, user: {" +
           user +
           "}}]\n"
           "contexts: [{name: prod, context: {" +
           context + "}}]\n";
}

inline const std::string https_server = R"(server: "https://kube.example:6443")";

} // namespace oco::test
