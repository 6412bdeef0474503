// The first of several addresses that a TCP connection can be made to (RFC 8305, section 5).
#pragma once

#include "rt/address_cache.hpp"

#include <boost/asio/ip/tcp.hpp>

namespace oco::rt {

// Tries them in their order, each a quarter of a second after the one before it, or at once when
// all before it have failed. The first that connects wins, and the others are closed, as they are
// when the caller is cancelled. The error is that of the last one to fail. No deadline of its own.
asio::awaitable<Result<asio::ip::tcp::socket>>
connect_to_first(Runtime& runtime, Addresses addresses, std::uint16_t port);

} // namespace oco::rt
