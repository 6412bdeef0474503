#include "net/bind_address.hpp"

#include "base/number.hpp"
#include "base/text.hpp"

#include <string>

namespace oco::net {
namespace {

Error refusal(std::string_view text, std::string_view why) {
    return make_error(ErrorClass::invalid,
                      "bind address \"" + printable(text, 128) + "\": " + std::string(why) +
                          "; use, for example, \":8080\", \"127.0.0.1:8080\" or \"[::1]:8080\"");
}

} // namespace

Result<BindAddress> parse_bind_address(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos)
        return refusal(text, "it has no port");
    std::string_view host = text.substr(0, colon);
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    if (!port)
        return refusal(text, "the port is not a number from 0 to 65535");
    if (host.empty())
        return BindAddress{.host = std::nullopt, .port = *port};
    if (host == "localhost")
        host = "127.0.0.1";
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(std::string(host), error);
    if (error)
        return refusal(text, "the host is not an IP address");
    if (address.is_v6() != bracketed)
        return refusal(text, bracketed ? "brackets are only for IPv6 addresses"
                                       : "an IPv6 address needs brackets");
    return BindAddress{.host = address, .port = *port};
}

} // namespace oco::net
