#include "net/proxy.hpp"

#include "base/base64.hpp"
#include "base/number.hpp"
#include "base/text.hpp"
#include "net/authority.hpp"

#include <algorithm>

namespace oco::net {

namespace asio = boost::asio;

namespace {

constexpr const char* expected_proxy_url = "must be http://[user:password@]host[:port]";

int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// False at a '%' without two hexadecimal digits.
bool append_percent_decoded(SecretBytes& out, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i]);
            continue;
        }
        if (i + 2 >= text.size())
            return false;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0)
            return false;
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return true;
}

// nullopt: not percent-encoded as it must be.
std::optional<SecretBytes> basic_credentials(std::string_view user_info) {
    const auto colon = std::min(user_info.find(':'), user_info.size());
    SecretBytes plain;
    if (!append_percent_decoded(plain, user_info.substr(0, colon)))
        return std::nullopt;
    plain.push_back(':');
    if (!append_percent_decoded(plain, user_info.substr(std::min(colon + 1, user_info.size()))))
        return std::nullopt;
    std::string encoded = base64::encode(plain.expose());
    SecretBytes out(encoded);
    wipe(encoded.data(), encoded.size());
    return out;
}

// IPv4 is mapped into IPv6, so that both ways to write an address are one.
asio::ip::address_v6 as_v6(const asio::ip::address& address) {
    return address.is_v6() ? address.to_v6()
                           : make_address_v6(asio::ip::v4_mapped, address.to_v4());
}

// "10.0.0.0/8", or an address, which is a network of one. Not Asio's make_network_v4, where a
// prefix length of 4294967304 is 8.
std::optional<asio::ip::network_v6> parse_network(std::string_view text) {
    const auto slash = std::min(text.find('/'), text.size());
    const auto address = parse_address(text.substr(0, slash));
    if (!address)
        return std::nullopt;
    const unsigned bits = address->is_v6() ? 128 : 32;
    const auto length =
        slash == text.size() ? std::optional(bits) : parse_number<unsigned>(text.substr(slash + 1));
    if (!length || *length > bits)
        return std::nullopt;
    return asio::ip::network_v6(as_v6(*address), static_cast<std::uint16_t>(128 - bits + *length));
}

bool contains(const asio::ip::network_v6& network, const asio::ip::address_v6& address) {
    return asio::ip::network_v6(address, network.prefix_length()).network() == network.network();
}

bool is_loopback(const asio::ip::address_v6& address) {
    return address.is_loopback() ||
           (address.is_v4_mapped() && make_address_v4(asio::ip::v4_mapped, address).is_loopback());
}

// The first that is set to something, and its name.
std::pair<std::string, std::string> first_set(const ProxyPolicy::Variables& variables,
                                              std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (auto value = variables(name); value && !value->empty())
            return {name, std::move(*value)};
    return {};
}

} // namespace

std::string Proxy::authority() const {
    return join_authority(host, port);
}

Result<std::shared_ptr<const Proxy>> parse_proxy_url(std::string_view url) {
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos)
        return invalid(expected_proxy_url);
    const std::string scheme = to_lower(url.substr(0, scheme_end));
    if (scheme == "https" || scheme == "socks5" || scheme == "socks5h")
        return invalid("has the scheme " + scheme +
                       ", which is not supported: use an HTTP proxy, http://host:port (traffic "
                       "through it is still encrypted)");
    if (scheme != "http")
        return invalid(expected_proxy_url);
    url.remove_prefix(scheme_end + 3);
    if (url.ends_with('/'))
        url.remove_suffix(1);
    if (url.find_first_of("/?#") != std::string_view::npos)
        return invalid(std::string(expected_proxy_url) + ", with nothing after it");

    auto proxy = std::make_shared<Proxy>();
    if (const auto at = url.rfind('@'); at != std::string_view::npos) {
        auto credentials = basic_credentials(url.substr(0, at));
        if (!credentials)
            return invalid("has a '%' in its user name or password that must be written as %25");
        proxy->basic_credentials = std::move(*credentials);
        url.remove_prefix(at + 1);
    }
    auto [authority, fault] = parse_authority(url);
    if (fault)
        return invalid(*fault == AuthorityFault::port
                           ? "has no valid port after its host: use 1 to 65535"
                           : expected_proxy_url);
    proxy->host = std::move(authority.host);
    proxy->port = authority.port.value_or(80);
    return std::shared_ptr<const Proxy>(std::move(proxy));
}

Result<ProxyPolicy> ProxyPolicy::from_environment(const Variables& variables) {
    ProxyPolicy policy;
    auto [name, value] = first_set(variables, {"HTTPS_PROXY", "https_proxy"});
    if (value.empty())
        return policy;
    SecretBytes url; // it may hold a password
    if (value.find("://") == std::string::npos)
        url.append("http://");
    url.append(value);
    wipe(value.data(), value.size());
    auto proxy = parse_proxy_url(trim(url.expose()));
    if (!proxy)
        return make_error(ErrorClass::invalid, name + " " + proxy.error().message);
    policy.proxy_ = std::move(*proxy);
    policy.except(first_set(variables, {"NO_PROXY", "no_proxy"}).second);
    return policy;
}

void ProxyPolicy::except(std::string_view no_proxy) {
    while (!no_proxy.empty()) {
        const auto comma = std::min(no_proxy.find(','), no_proxy.size());
        const std::string entry = to_lower(trim(no_proxy.substr(0, comma)));
        no_proxy.remove_prefix(std::min(comma + 1, no_proxy.size()));
        if (entry == "*") {
            proxy_.reset();
            return;
        }
        if (auto exception = parse_exception(entry))
            exceptions_.push_back(std::move(*exception));
    }
}

// What can't be read is skipped, as in Go: an entry of another program's dialect excepts nothing.
std::optional<ProxyPolicy::Exception> ProxyPolicy::parse_exception(std::string_view entry) {
    Exception out;
    out.network = parse_network(entry); // first: a bare IPv6 address looks like a name with a port
    if (out.network)
        return out;
    if (entry.starts_with("*."))
        entry.remove_prefix(1);
    const auto [authority, fault] = parse_authority(entry);
    if (fault)
        return std::nullopt;
    out.port = authority.port;
    out.network = parse_network(authority.host);
    out.with_host = !authority.host.starts_with('.');
    out.suffix = (out.with_host ? "." : "") + authority.host;
    return out;
}

std::shared_ptr<const Proxy> ProxyPolicy::proxy_for(std::string_view host,
                                                    std::uint16_t port) const {
    const std::string name = to_lower(host);
    const auto parsed = parse_address(name);
    const auto address = parsed ? std::optional(as_v6(*parsed)) : std::nullopt;
    if (name == "localhost" || (address && is_loopback(*address)))
        return nullptr;
    const auto matches = [&](const Exception& exception) {
        if (exception.port && *exception.port != port)
            return false;
        if (address.has_value() != exception.network.has_value())
            return false; // a name is not looked up
        if (address)
            return contains(*exception.network, *address);
        return name.ends_with(exception.suffix) ||
               (exception.with_host && name == std::string_view(exception.suffix).substr(1));
    };
    return std::ranges::any_of(exceptions_, matches) ? nullptr : proxy_;
}

} // namespace oco::net
