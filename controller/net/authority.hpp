// "host[:port]", as URLs and CONNECT write it (RFC 3986, section 3.2).
#pragma once

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oco::net {

struct Authority {
    std::string host;                  // lower case; an IPv6 address without brackets
    std::optional<std::uint16_t> port; // as far as it is given
};

enum class AuthorityFault { host, port };

struct ParsedAuthority {
    Authority authority;
    std::optional<AuthorityFault> fault; // set: `authority` means nothing
};

// Without a user and a password, which are a fault of the host.
ParsedAuthority parse_authority(std::string_view text);

// An IPv4 or IPv6 address, without brackets and without a zone ("%eth0").
std::optional<boost::asio::ip::address> parse_address(std::string_view text);
// A DNS name, an IPv4 or a bare IPv6 address.
bool is_host(std::string_view host);
// 1 to 65535.
std::optional<std::uint16_t> parse_port(std::string_view text);

// "host:port", IPv6 in brackets.
std::string join_authority(std::string_view host, std::uint16_t port);

} // namespace oco::net
