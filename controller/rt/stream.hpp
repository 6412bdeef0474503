// A connected byte stream, plain or TLS, and where to connect to.
#pragma once

#include "base/result.hpp"
#include "net/proxy.hpp"
#include "net/tls.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace oco {

namespace asio = boost::asio;

} // namespace oco

namespace oco::rt {

struct Endpoint {
    std::string host; // name or address, without brackets
    std::uint16_t port = 0;
    std::shared_ptr<net::TlsContext> tls; // null: plain TCP
    std::string tls_server_name;          // what the certificate must name; empty: `host`
    std::shared_ptr<const net::Proxy> proxy = nullptr; // tunnelled through this; null: directly

    [[nodiscard]] std::string authority() const; // "host:port", IPv6 in brackets
};

// Reads and writes never overlap with their own kind. Cancelling a coroutine that waits here
// leaves the stream unusable, so close it.
class Stream {
  public:
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    virtual ~Stream() = default;

    // At least one byte; 0 is the orderly end.
    virtual boost::asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) = 0;
    // All of it. `bytes` must outlive the call.
    virtual boost::asio::awaitable<Result<void>> write(std::string_view bytes) = 0;
    // Whether an idle stream can be used again: false once the peer has closed it or has sent
    // unexpected bytes. Never blocks.
    virtual bool idle_and_open() = 0;

    // Has `ended` called, once, when an idle stream can no longer be used again, until unwatch(),
    // which must come before a read or write. `ended` may destroy the stream. A stream that notices
    // nothing by itself never calls it.
    virtual void watch_idle(std::function<void()> /*ended*/) {}

    virtual void unwatch() {}

    virtual void close() noexcept = 0;
};

} // namespace oco::rt
