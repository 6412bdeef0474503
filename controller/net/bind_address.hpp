// The address that a server listens on, as a flag gives it.
#pragma once

#include "base/result.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace oco::net {

struct BindAddress {
    std::optional<boost::asio::ip::address> host; // nullopt: all addresses of both families
    std::uint16_t port = 0;                       // 0: the kernel chooses
};

// ":8080", "127.0.0.1:8080", "[::1]:8080" or "localhost:8080". Other names are refused: what they
// resolve to can change. The error is one line that names the text.
Result<BindAddress> parse_bind_address(std::string_view text);

} // namespace oco::net
