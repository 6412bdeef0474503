#include "kube/server_url.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

namespace oco::kube {
namespace {

constexpr std::string_view expected = "must be a URL such as https://host:6443";

Error refuse(std::string_view why) {
    return make_error(ErrorClass::invalid, std::string(why));
}

bool is_ipv6(std::string_view host) {
    in6_addr ignored{};
    return inet_pton(AF_INET6, std::string(host).c_str(), &ignored) == 1;
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

bool is_path_character(char c) {
    return c > 0x20 && c < 0x7F && c != '\\';
}

// Cuts the host off the front of `authority` and leaves ":port" or nothing there.
std::optional<std::string_view> take_host(std::string_view& authority) {
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos)
            return std::nullopt;
        const auto host = authority.substr(1, end - 1);
        authority.remove_prefix(end + 1);
        return is_ipv6(host) ? std::optional(host) : std::nullopt;
    }
    const auto host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(host.size());
    return is_host(host) ? std::optional(host) : std::nullopt;
}

} // namespace

bool is_host(std::string_view host) {
    constexpr std::size_t max_dns_name = 253;
    if (host.empty() || host.size() > max_dns_name || host.find('\0') != std::string_view::npos)
        return false;
    return std::ranges::all_of(host, is_name_character) || is_ipv6(host);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto* const end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, port);
    if (failed != std::errc() || rest != end || port == 0)
        return std::nullopt;
    return port;
}

Result<ServerUrl> parse_server_url(std::string_view url) {
    ServerUrl out;
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos)
        return refuse(expected);
    const std::string scheme = to_lower(url.substr(0, scheme_end));
    if (scheme == "http") {
        out.scheme = Scheme::http;
        out.port = 80;
    } else if (scheme != "https") {
        return refuse(expected);
    }
    url.remove_prefix(scheme_end + 3);

    std::string_view authority = url.substr(0, url.find_first_of("/?#"));
    url.remove_prefix(authority.size());
    if (authority.find('@') != std::string_view::npos)
        return refuse("holds a user name or password, which is not supported: take it out");
    const auto host = take_host(authority);
    if (!host)
        return refuse(expected);
    out.host = to_lower(*host);
    if (!authority.empty()) {
        const auto port = authority[0] == ':' ? parse_port(authority.substr(1)) : std::nullopt;
        if (!port)
            return refuse("has no valid port after its host: use 1 to 65535");
        out.port = *port;
    }

    std::string_view path = url.substr(0, url.find_first_of("?#"));
    while (path.ends_with('/'))
        path.remove_suffix(1);
    if (!std::ranges::all_of(path, is_path_character))
        return refuse("has a path with characters that must be percent-encoded");
    out.path_prefix = path;
    return out;
}

} // namespace oco::kube
