// The address of a Kubernetes API server, as a kubeconfig writes it: a URL with an optional path.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace oco::net {

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

} // namespace oco::net
