#include "reconcile/cluster/allowed_hosts.hpp"

#include "base/text.hpp"
#include "net/server_url.hpp"

#include <algorithm>

namespace oco::reconcile {
namespace {

// Of a host in a message, and of all the patterns.
constexpr std::size_t max_shown_bytes = 80;
constexpr std::size_t max_listed_bytes = 160;

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

bool AllowedHosts::Pattern::names(std::string_view other) const {
    if (!wildcard)
        return host == other;
    const auto dot = other.find('.');
    return dot != 0 && dot != std::string_view::npos && other.substr(dot + 1) == host;
}

std::string AllowedHosts::Pattern::text() const {
    return (wildcard ? "*." : "") + BaseUrl{.host = host, .port = port}.label();
}

bool AllowedHosts::allows(const BaseUrl& url) const {
    return std::ranges::any_of(patterns_, [&](const Pattern& pattern) {
        return pattern.port == url.port && pattern.names(url.host);
    });
}

Result<BaseUrl> AllowedHosts::admit(std::string_view base_url, PlainHttp plain_http) const {
    auto url = parse_base_url(base_url);
    if (!url)
        return url.error();
    // Before its host: port 80 on the list would not help.
    if (!url->https && plain_http == PlainHttp::refused)
        return invalid("spec.baseURL begins with http://, and keys would be sent unencrypted: use "
                       "https:// (for tests, the operator's flag --insecure-allow-http allows it)");
    if (!allows(*url))
        return invalid(refusal(*url));
    return url;
}

std::string AllowedHosts::refusal(const BaseUrl& url) const {
    const bool port_alone = std::ranges::any_of(
        patterns_, [&](const Pattern& pattern) { return pattern.names(url.host); });
    const std::string host = printable(url.host, max_shown_bytes);
    const std::string target = BaseUrl{.host = host, .port = url.port}.label();
    return "spec.baseURL: " +
           (port_alone ? "port " + std::to_string(url.port) + " of host " + host
                       : "host " + target) +
           " is not allowed; the operator allows " + listed() +
           " (its flag --allowed-hosts): correct the URL, or have " + target + " added to the flag";
}

// "a.example, *.b.example:8443 and 3 more"
std::string AllowedHosts::listed() const {
    std::string out;
    std::size_t count = 0;
    for (const Pattern& pattern : patterns_) {
        const std::string text = printable(pattern.text(), max_shown_bytes);
        if (count > 0 && out.size() + text.size() > max_listed_bytes)
            return out + " and " + std::to_string(patterns_.size() - count) + " more";
        out += (count++ == 0 ? "" : ", ") + text;
    }
    return out.empty() ? "no host at all" : out;
}

} // namespace oco::reconcile
