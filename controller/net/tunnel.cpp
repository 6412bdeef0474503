#include "net/tunnel.hpp"

#include "base/number.hpp"

#include <optional>

namespace oco::net {
namespace {

constexpr std::size_t max_head_bytes = std::size_t{16} * 1024;
constexpr std::string_view end_of_head = "\r\n\r\n";

// "HTTP/1.1 200 Connection established"
std::optional<int> status_of(std::string_view head) {
    constexpr std::string_view version = "HTTP/1.";
    constexpr std::size_t status_at = version.size() + 2;
    constexpr std::size_t status_size = 3;
    if (!head.starts_with(version) || head.size() < status_at + status_size ||
        head[status_at - 1] != ' ')
        return std::nullopt;
    const auto status = parse_number<unsigned>(head.substr(status_at, status_size));
    if (!status || *status < 100)
        return std::nullopt;
    return static_cast<int>(*status);
}

} // namespace

SecretBytes connect_request(const Proxy& proxy, std::string_view target) {
    SecretBytes out;
    out.reserve(128 + 2 * target.size() + proxy.basic_credentials.size());
    out.append("CONNECT ");
    out.append(target);
    out.append(" HTTP/1.1\r\nHost: ");
    out.append(target);
    out.append("\r\n");
    if (!proxy.basic_credentials.empty()) {
        out.append("Proxy-Authorization: Basic ");
        out.append(proxy.basic_credentials.expose());
        out.append("\r\n");
    }
    out.append("\r\n");
    return out;
}

Result<bool> TunnelReply::feed(std::string_view bytes) {
    head_.append(bytes);
    for (;;) {
        const auto end = head_.find(end_of_head);
        if (end == std::string::npos && head_.size() <= max_head_bytes)
            return false;
        const auto status = end > max_head_bytes ? std::nullopt : status_of(head_);
        if (!status)
            return failure("does not respond in HTTP/1.1");
        const bool interim = *status < 200;
        if (!interim && *status >= 300)
            return refusal(*status);
        head_.erase(0, end + end_of_head.size());
        if (interim)
            continue;
        // The far side has nothing to say before it is spoken to: TLS and HTTP clients begin.
        if (!head_.empty())
            return failure("sent more than its response");
        return true;
    }
}

Error TunnelReply::closed() const {
    return failure("closed the connection without a response");
}

Error TunnelReply::refusal(int status) const {
    constexpr int authentication_required = 407;
    if (status == authentication_required)
        return failure(proxy_.basic_credentials.empty()
                           ? "requires a user name and password in its URL (407)"
                           : "rejected the credentials in its URL (407)");
    return failure("refused the tunnel with status " + std::to_string(status));
}

Error TunnelReply::failure(std::string_view what) const {
    return make_error(ErrorClass::unavailable,
                      "the proxy " + proxy_.authority() + " " + std::string(what));
}

} // namespace oco::net
