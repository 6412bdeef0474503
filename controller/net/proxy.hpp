// The HTTP proxy that connections are tunnelled through (CONNECT: RFC 9110, section 9.3.6), and
// which connections: decided as Go's net/http does. Pure.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <boost/asio/ip/network_v6.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oco::net {

struct Proxy {
    std::string host; // name or address, without brackets
    std::uint16_t port = 80;
    // "user:password" in base64, for Proxy-Authorization: Basic (RFC 7617); empty: none.
    SecretBytes basic_credentials;

    [[nodiscard]] std::string authority() const; // "host:port", IPv6 in brackets
};

// `http://[user:password@]host[:port]`, the user and the password percent-encoded where needed.
// Errors go after the name of what holds the URL, and never quote it.
Result<std::shared_ptr<const Proxy>> parse_proxy_url(std::string_view url);

// What HTTPS_PROXY and NO_PROXY ask for.
class ProxyPolicy {
  public:
    // nullopt where the variable is not set.
    using Variables = std::function<std::optional<std::string>(const std::string& name)>;

    // Nothing is proxied.
    ProxyPolicy() = default;

    // HTTPS_PROXY or https_proxy, a URL, or host[:port] alone; NO_PROXY or no_proxy. Upper case
    // wins, and empty is the same as not set, as in Go. The error names the variable.
    static Result<ProxyPolicy> from_environment(const Variables& variables);

    // The proxy for TLS to that host (name or address, without brackets); null: go directly.
    // NO_PROXY is a list of `*`, addresses, networks (10.0.0.0/8) and names, which stand for their
    // subdomains too (with a leading dot for these only), each but a network with an optional port.
    // `localhost` and loopback addresses are never proxied. Names are not looked up.
    [[nodiscard]] std::shared_ptr<const Proxy> proxy_for(std::string_view host,
                                                         std::uint16_t port) const;

  private:
    // One entry of NO_PROXY: a network, or a name.
    struct Exception {
        std::optional<boost::asio::ip::network_v6> network; // IPv4 mapped into IPv6
        std::string suffix;                                 // ".example.com"
        bool with_host = false;                             // example.com itself too
        std::optional<std::uint16_t> port;
    };

    static std::optional<Exception> parse_exception(std::string_view entry);
    void except(std::string_view no_proxy);

    std::shared_ptr<const Proxy> proxy_;
    std::vector<Exception> exceptions_;
};

} // namespace oco::net
