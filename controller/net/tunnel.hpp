// Opening a tunnel through an HTTP proxy, without any I/O: bytes out for CONNECT, bytes in for the
// proxy's response (RFC 9110, section 9.3.6). Does not use http/, which is above this layer.
#pragma once

#include "net/proxy.hpp"

#include <string>
#include <string_view>

namespace oco::net {

// `target` is "host:port".
SecretBytes connect_request(const Proxy& proxy, std::string_view target);

class TunnelReply {
  public:
    // `proxy` must outlive this.
    explicit TunnelReply(const Proxy& proxy) : proxy_(proxy) {}

    // Takes the bytes as they arrive; true once the tunnel is open. Errors are `unavailable`, and
    // contain only the proxy's address and status.
    Result<bool> feed(std::string_view bytes);
    // The proxy closed before that.
    [[nodiscard]] Error closed() const;

  private:
    [[nodiscard]] Error failure(std::string_view what) const;
    [[nodiscard]] Error refusal(int status) const;

    const Proxy& proxy_;
    std::string head_;
};

} // namespace oco::net
