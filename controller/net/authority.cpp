#include "net/authority.hpp"

#include "base/number.hpp"
#include "base/text.hpp"

#include <algorithm>

namespace oco::net {

namespace asio = boost::asio;

namespace {

bool is_ipv6(std::string_view host) {
    const auto address = parse_address(host);
    return address && address->is_v6();
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

// Cuts the host off the front of `text` and leaves ":port" or nothing there.
std::optional<std::string_view> take_host(std::string_view& text) {
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos)
            return std::nullopt;
        const auto host = text.substr(1, end - 1);
        text.remove_prefix(end + 1);
        return is_ipv6(host) ? std::optional(host) : std::nullopt;
    }
    const auto host = text.substr(0, text.find(':'));
    text.remove_prefix(host.size());
    return is_host(host) ? std::optional(host) : std::nullopt;
}

} // namespace

ParsedAuthority parse_authority(std::string_view text) {
    const auto host = take_host(text);
    if (!host)
        return {.authority = {}, .fault = AuthorityFault::host};
    ParsedAuthority out{.authority = {.host = to_lower(*host), .port = std::nullopt},
                        .fault = std::nullopt};
    if (text.empty())
        return out;
    out.authority.port = text[0] == ':' ? parse_port(text.substr(1)) : std::nullopt;
    if (!out.authority.port)
        out.fault = AuthorityFault::port;
    return out;
}

std::optional<asio::ip::address> parse_address(std::string_view text) {
    boost::system::error_code ec;
    auto address = asio::ip::make_address(std::string(text), ec);
    // Asio also takes a zone, and stops at a NUL.
    if (ec || text.find_first_of(std::string_view("%\0", 2)) != std::string_view::npos)
        return std::nullopt;
    return address;
}

bool is_host(std::string_view host) {
    constexpr std::size_t max_dns_name = 253;
    if (host.empty() || host.size() > max_dns_name)
        return false;
    return std::ranges::all_of(host, is_name_character) || is_ipv6(host);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto port = parse_number<std::uint16_t>(text);
    return port && *port != 0 ? port : std::nullopt;
}

std::string join_authority(std::string_view host, std::uint16_t port) {
    const bool v6 = host.find(':') != std::string_view::npos;
    std::string out = v6 ? "[" : "";
    out.append(host).append(v6 ? "]:" : ":");
    return out + std::to_string(port);
}

} // namespace oco::net
