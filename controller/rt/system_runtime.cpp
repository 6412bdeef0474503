#include "rt/system_runtime.hpp"

#include "net/authority.hpp"
#include "net/tunnel.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <stdexcept>
#include <sys/socket.h>

namespace oco::rt {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

Error stream_error(std::string_view what, const error_code& ec) {
    return make_error(ErrorClass::unavailable, std::string(what) + ": " + ec.message());
}

bool socket_is_quiet(tcp::socket& socket) {
    char byte = 0;
    const auto n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

template<class Socket>
asio::awaitable<Result<std::size_t>> read_from(Socket& socket, std::span<char> into) {
    const auto [ec, size] =
        co_await socket.async_read_some(asio::buffer(into.data(), into.size()), use_tuple);
    // Many servers close TCP without TLS's close_notify; HTTP's own framing tells a cut answer.
    if (ec == asio::error::eof || ec == boost::asio::ssl::error::stream_truncated)
        co_return std::size_t{0};
    if (ec)
        co_return stream_error("read", ec);
    co_return size;
}

template<class Socket>
asio::awaitable<Result<void>> write_to(Socket& socket, std::string_view bytes) {
    const auto [ec, size] =
        co_await asio::async_write(socket, asio::buffer(bytes.data(), bytes.size()), use_tuple);
    if (ec)
        co_return stream_error("write", ec);
    co_return Result<void>();
}

class TcpStream final : public Stream {
  public:
    explicit TcpStream(tcp::socket socket) : socket_(std::move(socket)) {}

    asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
        return read_from(socket_, into);
    }

    asio::awaitable<Result<void>> write(std::string_view bytes) override {
        return write_to(socket_, bytes);
    }

    bool idle_and_open() override { return socket_.is_open() && socket_is_quiet(socket_); }

    void close() noexcept override {
        error_code ignored;
        socket_.close(ignored);
    }

  private:
    tcp::socket socket_;
};

class TlsStream final : public Stream {
  public:
    TlsStream(tcp::socket socket, std::shared_ptr<net::TlsContext> context)
        : context_(std::move(context)), stream_(std::move(socket), context_->ssl) {}

    asio::awaitable<Result<void>> handshake(std::string name) {
        SSL* ssl = stream_.native_handle();
        if (!net::parse_address(name))
            SSL_set_tlsext_host_name(ssl, name.c_str());
        if (context_->verify == net::Verify::peer)
            stream_.set_verify_callback(asio::ssl::host_name_verification(name), ignored_);
        const auto [ec] =
            co_await stream_.async_handshake(asio::ssl::stream_base::client, use_tuple);
        if (!ec)
            co_return Result<void>();
        if (const long verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK)
            co_return make_error(ErrorClass::tls,
                                 "the certificate of " + name +
                                     " is not trusted: " + X509_verify_cert_error_string(verdict));
        if (ERR_GET_REASON(static_cast<unsigned long>(ec.value())) ==
            SSL_R_CERTIFICATE_VERIFY_FAILED)
            co_return make_error(ErrorClass::tls, "the certificate does not name " + name);
        co_return stream_error("TLS handshake with " + name, ec);
    }

    asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
        return read_from(stream_, into);
    }

    asio::awaitable<Result<void>> write(std::string_view bytes) override {
        return write_to(stream_, bytes);
    }

    bool idle_and_open() override {
        return stream_.lowest_layer().is_open() && socket_is_quiet(stream_.next_layer());
    }

    void close() noexcept override { stream_.lowest_layer().close(ignored_); }

  private:
    std::shared_ptr<net::TlsContext> context_;
    asio::ssl::stream<tcp::socket> stream_;
    error_code ignored_;
};

asio::awaitable<Result<tcp::socket>> connect_tcp(asio::any_io_executor executor, std::string host,
                                                 std::uint16_t port) {
    tcp::resolver resolver(executor);
    const auto [resolve_error, results] =
        co_await resolver.async_resolve(host, std::to_string(port), use_tuple);
    if (resolve_error)
        co_return stream_error("look-up of " + host, resolve_error);
    tcp::socket socket(executor);
    const auto [connect_error, used] = co_await asio::async_connect(socket, results, use_tuple);
    if (connect_error)
        co_return stream_error("connect to " + net::join_authority(host, port), connect_error);
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    co_return socket;
}

// A connection to the proxy that has become one to `target`.
asio::awaitable<Result<tcp::socket>> connect_through(asio::any_io_executor executor,
                                                     std::shared_ptr<const net::Proxy> proxy,
                                                     std::string target) {
    auto socket = co_await connect_tcp(executor, proxy->host, proxy->port);
    if (!socket)
        co_return make_error(socket.error().kind, "the proxy: " + socket.error().message);
    const auto failed = [&proxy](const Error& error) {
        return make_error(error.kind, "the proxy " + proxy->authority() + ": " + error.message);
    };
    const SecretBytes request = net::connect_request(*proxy, target);
    if (auto written = co_await write_to(*socket, request.expose()); !written)
        co_return failed(written.error());
    net::TunnelReply reply(*proxy);
    char buffer[1024];
    for (;;) {
        const auto size = co_await read_from(*socket, std::span<char>(buffer));
        if (!size)
            co_return failed(size.error());
        if (*size == 0)
            co_return reply.closed();
        const auto open = reply.feed({buffer, *size});
        if (!open)
            co_return open.error();
        if (*open)
            co_return std::move(socket);
    }
}

} // namespace

TimePoint SystemRuntime::now() const {
    return std::chrono::steady_clock::now();
}

WallTime SystemRuntime::wall_now() const {
    return std::chrono::system_clock::now();
}

void SystemRuntime::random_bytes(std::span<unsigned char> out) {
    if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1)
        throw std::runtime_error("OpenSSL has no random bytes");
}

asio::awaitable<void> SystemRuntime::sleep_until(TimePoint when) {
    asio::steady_timer timer(context_);
    timer.expires_at(when);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<Result<std::unique_ptr<Stream>>> SystemRuntime::connect(Endpoint endpoint) {
    auto socket = endpoint.proxy
                      ? co_await connect_through(executor(), endpoint.proxy, endpoint.authority())
                      : co_await connect_tcp(executor(), endpoint.host, endpoint.port);
    if (!socket)
        co_return socket.error();
    if (endpoint.tls == nullptr)
        co_return std::unique_ptr<Stream>(std::make_unique<TcpStream>(std::move(*socket)));
    auto stream = std::make_unique<TlsStream>(std::move(*socket), endpoint.tls);
    auto done = co_await stream->handshake(
        endpoint.tls_server_name.empty() ? endpoint.host : endpoint.tls_server_name);
    if (!done)
        co_return done.error();
    co_return std::unique_ptr<Stream>(std::move(stream));
}

} // namespace oco::rt
