#include "rt/system_runtime.hpp"

#include "base/text.hpp"
#include "net/authority.hpp"
#include "net/certificate_fault.hpp"
#include "net/tunnel.hpp"
#include "rt/connect_race.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace oco::rt {
namespace {

constexpr int lowest_priority = 19;

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

// A peer that has vanished is noticed within a minute: on an idle connection, say a watch, by
// probes, and else by what it does not acknowledge.
void set_options(tcp::socket& socket) {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    const std::pair<int, int> of_tcp[] = {{TCP_KEEPIDLE, 20}, // seconds
                                          {TCP_KEEPINTVL, 10},
                                          {TCP_KEEPCNT, 3},
                                          {TCP_USER_TIMEOUT, 50'000}}; // milliseconds
    for (const auto& [option, value] : of_tcp)
        ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
}

template<class Socket>
asio::awaitable<Result<std::size_t>> read_from(Socket& socket, std::span<char> into) {
    const auto [ec, size] =
        co_await socket.async_read_some(asio::buffer(into.data(), into.size()), use_tuple);
    // Many servers close TCP without TLS's close_notify; HTTP's own framing detects a cut response.
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

// Notices that the peer closes an idle connection, or sends something.
class IdleWatch {
  public:
    void start(tcp::socket& socket, std::function<void()> ended) {
        ended_ = std::make_shared<std::function<void()>>(std::move(ended));
        socket.async_wait(tcp::socket::wait_read,
                          [watched = std::weak_ptr(ended_)](const error_code& failed) {
                              if (const auto still = watched.lock(); still && !failed)
                                  (*still)();
                          });
    }

    void stop(tcp::socket& socket) {
        ended_.reset(); // before a handler that is already due
        error_code ignored;
        socket.cancel(ignored);
    }

  private:
    std::shared_ptr<std::function<void()>> ended_;
};

class TcpStream final : public Stream {
  public:
    explicit TcpStream(tcp::socket socket) : socket_(std::move(socket)) {}

    asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
        return read_from(socket_, into);
    }

    asio::awaitable<Result<void>> write(std::string_view bytes) override {
        return write_to(socket_, bytes);
    }

    void watch_idle(std::function<void()> ended) override {
        watch_.start(socket_, std::move(ended));
    }

    void unwatch() override { watch_.stop(socket_); }

    bool idle_and_open() override { return socket_.is_open() && socket_is_quiet(socket_); }

    void close() noexcept override {
        error_code ignored;
        socket_.close(ignored);
    }

  private:
    tcp::socket socket_;
    IdleWatch watch_;
};

class TlsStream final : public Stream {
  public:
    TlsStream(tcp::socket socket, std::shared_ptr<net::TlsContext> context)
        : context_(std::move(context)), stream_(std::move(socket), context_->ssl) {}

    // `name`: whom the certificate must be for.
    asio::awaitable<Result<void>> handshake(std::string host, std::string name) {
        SSL* ssl = stream_.native_handle();
        if (!net::parse_address(name))
            SSL_set_tlsext_host_name(ssl, name.c_str());
        if (context_->verify == net::Verify::peer) {
            if (!net::require_host(SSL_get0_param(ssl), name))
                co_return make_error(ErrorClass::tls, "no certificate can be for the host \"" +
                                                          printable(name, 80) +
                                                          "\": correct its name");
            // OpenSSL decides; this only notes what it found.
            stream_.set_verify_callback(
                [this, name](bool trusted, asio::ssl::verify_context& verification) {
                    if (!trusted)
                        fault_ =
                            net::certificate_fault(verification.native_handle(), name,
                                                   context_->ca_setting, context_->host_setting);
                    return trusted;
                },
                ignored_);
        }
        const auto [ec] =
            co_await stream_.async_handshake(asio::ssl::stream_base::client, use_tuple);
        if (!ec)
            co_return Result<void>();
        const long verdict = SSL_get_verify_result(ssl);
        const bool refused = ERR_GET_REASON(static_cast<unsigned long>(ec.value())) ==
                             SSL_R_CERTIFICATE_VERIFY_FAILED;
        if (context_->verify == net::Verify::peer && (refused || verdict != X509_V_OK))
            co_return make_error(
                ErrorClass::tls,
                "the certificate of " + printable(host, 80) + " is not trusted: " +
                    (fault_.empty() ? X509_verify_cert_error_string(verdict) : fault_));
        co_return stream_error("TLS handshake with " + host, ec);
    }

    asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
        return read_from(stream_, into);
    }

    asio::awaitable<Result<void>> write(std::string_view bytes) override {
        return write_to(stream_, bytes);
    }

    void watch_idle(std::function<void()> ended) override {
        watch_.start(stream_.next_layer(), std::move(ended));
    }

    void unwatch() override { watch_.stop(stream_.next_layer()); }

    bool idle_and_open() override {
        return stream_.lowest_layer().is_open() && socket_is_quiet(stream_.next_layer()) &&
               nothing_is_buffered();
    }

    void close() noexcept override { stream_.lowest_layer().close(ignored_); }

  private:
    // What came with the last response, in the same segment, is not in the socket any more: a
    // second answer would be taken for that of the next request.
    bool nothing_is_buffered() {
        SSL* ssl = stream_.native_handle();
        char byte = 0;
        ERR_clear_error();
        const int peeked = SSL_peek(ssl, &byte, 1); // deals with tickets and the like, too
        const bool nothing = peeked <= 0 && SSL_get_error(ssl, peeked) == SSL_ERROR_WANT_READ;
        ERR_clear_error();
        return nothing && BIO_ctrl_pending(SSL_get_rbio(ssl)) == 0;
    }

    std::shared_ptr<net::TlsContext> context_;
    asio::ssl::stream<tcp::socket> stream_;
    std::string fault_; // of the server's certificate
    error_code ignored_;
    IdleWatch watch_;
};

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

asio::awaitable<Result<tcp::socket>> SystemRuntime::connect_tcp(std::string host,
                                                                std::uint16_t port) {
    auto addresses = co_await names_.addresses(host);
    if (!addresses)
        co_return addresses.error();
    auto socket = co_await connect_to_first(*this, std::move(*addresses), port);
    if (!socket) {
        names_.forget(host);
        co_return make_error(socket.error().kind, "connect to " + net::join_authority(host, port) +
                                                      ": " + socket.error().message);
    }
    set_options(*socket);
    co_return socket;
}

asio::awaitable<Result<tcp::socket>>
SystemRuntime::connect_through(std::shared_ptr<const net::Proxy> proxy, std::string target) {
    auto socket = co_await connect_tcp(proxy->host, proxy->port);
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

void SystemRuntime::run_aside(std::function<void()> work, std::function<void()> done) {
    ++*aside_;
    asio::post(pool_, [work = std::move(work), done = std::move(done), count = aside_,
                       executor = context_.get_executor()]() mutable {
        // The loop comes first, also where there is only a part of one processor.
        setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), lowest_priority);
        work();
        work = nullptr; // what it owns may be a credential
        asio::post(executor, std::move(done));
        --*count;
    });
}

asio::awaitable<Result<std::unique_ptr<Stream>>> SystemRuntime::connect(Endpoint endpoint) {
    auto socket = endpoint.proxy ? co_await connect_through(endpoint.proxy, endpoint.authority())
                                 : co_await connect_tcp(endpoint.host, endpoint.port);
    if (!socket)
        co_return socket.error();
    if (endpoint.tls == nullptr)
        co_return std::unique_ptr<Stream>(std::make_unique<TcpStream>(std::move(*socket)));
    auto stream = std::make_unique<TlsStream>(std::move(*socket), endpoint.tls);
    auto done = co_await stream->handshake(
        endpoint.host, endpoint.tls_server_name.empty() ? endpoint.host : endpoint.tls_server_name);
    if (!done)
        co_return done.error();
    co_return std::unique_ptr<Stream>(std::move(stream));
}

} // namespace oco::rt
