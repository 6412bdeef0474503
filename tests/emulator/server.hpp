#pragma once

#include "engine.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <optional>

namespace emulator {

/// Serves one Engine over HTTP/1.1, plain or TLS, on one thread. Connections are kept alive (closed
/// after 5 idle minutes) and written without delay; bodies over 1 MiB are a 413. `/_emulator/` is
/// answered to loopback addresses only.
///
/// Must outlive every run of `io`, and be destroyed after it: what hangs is cut off with `io`.
class Server {
  public:
    /// Without `tls` it is plain HTTP.
    Server(Engine& engine, std::optional<boost::asio::ssl::context> tls)
        : engine_(engine), tls_(std::move(tls)) {}

    /// Begins to listen and returns the address with the actual port. Throws
    /// boost::system::system_error.
    boost::asio::ip::tcp::endpoint start(boost::asio::io_context& io,
                                         const boost::asio::ip::tcp::endpoint& where);

    Engine& engine() { return engine_; }

    std::optional<boost::asio::ssl::context>& tls() { return tls_; }

  private:
    Engine& engine_;
    std::optional<boost::asio::ssl::context> tls_;
};

} // namespace emulator
