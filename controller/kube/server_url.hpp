// The address of a Kubernetes API server, as a kubeconfig writes it: a URL with an optional path.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oco::kube {

enum class Scheme { http, https };

struct ServerUrl {
    Scheme scheme = Scheme::https;
    std::string host; // lower case; an IPv6 address without brackets
    std::uint16_t port = 443;
    std::string path_prefix; // "" or, behind a proxy, "/k8s/clusters/x": never ends in '/'
};

// A query and a fragment are dropped, as client-go does. A user or password in it is an error, and
// so is whatever could break a request line. Messages go after "server ..." and never quote the
// URL, which might hold a password.
Result<ServerUrl> parse_server_url(std::string_view url);

// The host of a URL or of KUBERNETES_SERVICE_HOST: a DNS name, an IPv4 or a bare IPv6 address.
bool is_host(std::string_view host);
std::optional<std::uint16_t> parse_port(std::string_view text);

} // namespace oco::kube
