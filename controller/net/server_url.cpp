#include "net/server_url.hpp"

#include "base/text.hpp"
#include "net/authority.hpp"

#include <algorithm>

namespace oco::net {
namespace {

constexpr const char* expected_url = "must be a URL such as https://host:6443";

bool is_path_character(char c) {
    return c > 0x20 && c < 0x7F && c != '\\';
}

} // namespace

Result<ServerUrl> parse_server_url(std::string_view url) {
    ServerUrl out;
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos)
        return invalid(expected_url);
    const std::string scheme = to_lower(url.substr(0, scheme_end));
    if (scheme == "http") {
        out.scheme = Scheme::http;
        out.port = 80;
    } else if (scheme != "https") {
        return invalid(expected_url);
    }
    url.remove_prefix(scheme_end + 3);

    std::string_view authority = url.substr(0, url.find_first_of("/?#"));
    url.remove_prefix(authority.size());
    if (authority.find('@') != std::string_view::npos)
        return invalid("holds a user name or password, which is not supported: take it out");
    auto [parsed, fault] = parse_authority(authority);
    if (fault)
        return invalid(*fault == AuthorityFault::port
                           ? "has no valid port after its host: use 1 to 65535"
                           : expected_url);
    out.host = std::move(parsed.host);
    out.port = parsed.port.value_or(out.port);

    std::string_view path = url.substr(0, url.find_first_of("?#"));
    while (path.ends_with('/'))
        path.remove_suffix(1);
    if (!std::ranges::all_of(path, is_path_character))
        return invalid("has a path with characters that must be percent-encoded");
    out.path_prefix = path;
    return out;
}

} // namespace oco::net
