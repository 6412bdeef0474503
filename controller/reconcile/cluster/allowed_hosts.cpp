#include "reconcile/cluster/allowed_hosts.hpp"

#include "base/text.hpp"
#include "net/server_url.hpp"

#include <algorithm>

namespace oco::reconcile {
namespace {

Error bad_pattern(std::string_view pattern) {
    return make_error(ErrorClass::invalid,
                      "--allowed-hosts: \"" + printable(pattern, 100) +
                          "\" is not a pattern host[:port], with at most one leading \"*.\"");
}

} // namespace

std::string BaseUrl::label() const {
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return port == 443 ? name : name + ":" + std::to_string(port);
}

Result<BaseUrl> parse_base_url(std::string_view text) {
    auto url = net::parse_server_url(text);
    if (!url)
        return make_error(ErrorClass::invalid, "spec.baseURL " + url.error().message);
    if (!url->path_prefix.empty() && url->path_prefix != "/api")
        return make_error(ErrorClass::invalid,
                          "spec.baseURL must have no path but /api: https://NAME.omniapp.co");
    return BaseUrl{
        .https = url->scheme == net::Scheme::https, .host = url->host, .port = url->port};
}

Result<AllowedHosts> AllowedHosts::parse(std::string_view patterns) {
    AllowedHosts out;
    out.text_ = patterns;
    while (!patterns.empty()) {
        const auto comma = std::min(patterns.find(','), patterns.size());
        const std::string_view item = trim(patterns.substr(0, comma));
        patterns.remove_prefix(std::min(comma + 1, patterns.size()));
        if (item.empty())
            continue;
        Pattern pattern{.wildcard = item.starts_with("*.")};
        const std::string_view rest = item.substr(pattern.wildcard ? 2 : 0);
        auto url = net::parse_server_url("https://" + std::string(rest));
        if (!url || !url->path_prefix.empty() ||
            rest.find_first_of("/?#*@") != std::string_view::npos)
            return bad_pattern(item);
        pattern.host = url->host;
        pattern.port = url->port;
        out.patterns_.push_back(std::move(pattern));
    }
    return out;
}

bool AllowedHosts::allows(const BaseUrl& url) const {
    return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
        if (pattern.port != url.port)
            return false;
        if (!pattern.wildcard)
            return pattern.host == url.host;
        const auto dot = url.host.find('.');
        return dot != 0 && dot != std::string::npos && url.host.substr(dot + 1) == pattern.host;
    });
}

} // namespace oco::reconcile
