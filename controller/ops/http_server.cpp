#include "ops/http_server.hpp"

#include "base/log.hpp"
#include "net/bind_address.hpp"
#include "rt/deadline.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>

#include <array>
#include <exception>
#include <utility>

namespace oco::ops {

namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Parser = http::request_parser<http::empty_body>;

struct HttpConnection {
    HttpConnection(tcp::socket connected, std::size_t head_bytes)
        : socket(std::move(connected)), buffer(head_bytes) {}

    tcp::socket socket;
    boost::beast::flat_buffer buffer; // bytes that are not parsed yet
    bool idle = true;                 // nothing is lost when it is closed
};

namespace {

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

enum class Body { send, omit };
enum class After { keep_alive, close };

Error io_error(std::string_view what, const error_code& ec) {
    return make_error(ErrorClass::unavailable, std::string(what) + ": " + ec.message());
}

// A refusal of the server itself.
Reply refusal(int status) {
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
    return Reply{.status = status, .body = std::string(reason) + "\n"};
}

int refusal_status(const error_code& ec) {
    if (ec == http::error::header_limit)
        return 431;
    if (ec == http::error::body_limit)
        return 413;
    return 400;
}

std::string head_of(const Reply& reply, WallTime now, After after) {
    const auto reason =
        http::obsolete_reason(http::int_to_status(static_cast<unsigned>(reply.status)));
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " " + std::string(reason);
    head += "\r\nDate: " + format_http_date(now);
    head += "\r\nContent-Type: " + reply.content_type;
    head += "\r\nContent-Length: " + std::to_string(reply.body.size());
    if (reply.status == 405)
        head += "\r\nAllow: GET, HEAD";
    if (after == After::close)
        head += "\r\nConnection: close";
    return head + "\r\n\r\n";
}

// At least one byte more in the buffer, which has room. By Asio, and not by Beast's reads and
// writes of messages: in Boost 1.81 those go on after a cancellation that comes between two of
// their steps, and so after a deadline.
asio::awaitable<Result<std::size_t>> read_more(HttpConnection& connection) {
    auto& buffer = connection.buffer;
    const auto [ec, size] = co_await connection.socket.async_read_some(
        buffer.prepare(buffer.max_size() - buffer.size()), use_tuple);
    if (ec)
        co_return io_error("read", ec);
    buffer.commit(size);
    co_return size;
}

// 0 once the whole request is there, else the status to refuse it with. It stops at the end of the
// head: a request with a body is refused, not read.
asio::awaitable<Result<int>> read_request(HttpConnection& connection, Parser& parser) {
    auto& buffer = connection.buffer;
    std::size_t parsed = 0;
    while (!parser.is_done()) {
        error_code ec = http::error::need_more;
        if (buffer.size() > 0) {
            const std::size_t used = parser.put(buffer.data(), ec);
            buffer.consume(used);
            parsed += used;
        }
        if (ec && ec != http::error::need_more)
            co_return refusal_status(ec);
        if (parser.is_done())
            break;
        if (parser.is_header_done())
            co_return 413;
        if (parsed + buffer.size() >= buffer.max_size())
            co_return 431;
        if (const auto more = co_await read_more(connection); !more)
            co_return more.error();
    }
    co_return 0;
}

asio::awaitable<Result<void>> write_reply(tcp::socket& socket, std::string head, const Reply& reply,
                                          Body body) {
    const std::array<asio::const_buffer, 2> parts = {
        asio::buffer(head), body == Body::send ? asio::buffer(reply.body) : asio::const_buffer()};
    const auto [ec, size] = co_await asio::async_write(socket, parts, use_tuple);
    if (ec)
        co_return io_error("write", ec);
    co_return Result<void>();
}

// Closing a socket that has unread bytes resets the connection, and the peer may then never see
// the answer; so first read a little of what it still sends.
asio::awaitable<Result<void>> say_goodbye(HttpConnection& connection) {
    constexpr int reads = 16;
    error_code ignored;
    connection.socket.shutdown(tcp::socket::shutdown_send, ignored);
    for (int i = 0; i < reads; ++i) {
        connection.buffer.clear();
        if (!co_await read_more(connection))
            break;
    }
    co_return Result<void>();
}

// Leaves the acceptor closed on an error.
error_code bind_and_listen(tcp::acceptor& acceptor, const tcp::endpoint& endpoint,
                           std::optional<bool> v6_only) {
    error_code ec;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec)
        acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec && v6_only)
        acceptor.set_option(asio::ip::v6_only(*v6_only), ec);
    if (!ec)
        acceptor.bind(endpoint, ec);
    if (!ec)
        acceptor.listen(asio::socket_base::max_listen_connections, ec);
    error_code ignored;
    if (ec)
        acceptor.close(ignored);
    return ec;
}

} // namespace

HttpServer::HttpServer(rt::Runtime& runtime, Handlers handlers, HttpServerLimits limits)
    : runtime_(runtime), handlers_(std::move(handlers)), limits_(limits),
      acceptor_(runtime.executor()), connection_ended_(runtime) {}

HttpServer::~HttpServer() = default;

Result<void> HttpServer::listen(std::string_view address) {
    const auto parsed = net::parse_bind_address(address);
    if (!parsed)
        return parsed.error();
    error_code ec;
    if (parsed->host) {
        ec = bind_and_listen(acceptor_, {*parsed->host, parsed->port}, std::nullopt);
    } else {
        ec = bind_and_listen(acceptor_, {tcp::v6(), parsed->port}, false);
        if (ec == asio::error::address_family_not_supported ||
            ec == boost::system::errc::address_not_available)
            ec = bind_and_listen(acceptor_, {tcp::v4(), parsed->port}, std::nullopt);
    }
    if (ec)
        return io_error("cannot listen on " + std::string(address), ec);
    return {};
}

std::uint16_t HttpServer::port() const {
    error_code ec;
    const auto endpoint = acceptor_.local_endpoint(ec);
    return ec ? 0 : endpoint.port();
}

asio::awaitable<void> HttpServer::run() {
    rt::TaskGroup tasks(runtime_);
    std::exception_ptr end;
    try {
        co_await accept_all(tasks);
    } catch (...) {
        end = std::current_exception();
    }
    // The cancellation that led here must not cut short the wait for the connections.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    error_code ignored;
    acceptor_.close(ignored);
    tasks.cancel();
    co_await tasks.join();
    if (end)
        std::rethrow_exception(end);
}

asio::awaitable<void> HttpServer::accept_all(rt::TaskGroup& tasks) {
    for (;;) {
        auto [ec, socket] = co_await acceptor_.async_accept(use_tuple);
        if (ec == asio::error::operation_aborted || ec == asio::error::connection_aborted)
            continue; // a cancelled coroutine throws at the next co_await
        if (ec) {
            log::warn("cannot accept a connection", {{"port", port()}, {"error", ec.message()}});
            co_await runtime_.sleep(std::chrono::seconds(1)); // out of descriptors: no busy loop
            continue;
        }
        while (connections_.size() >= limits_.connections) {
            close_longest_idle(); // else one ends within its deadline
            co_await connection_ended_.wait();
        }
        socket.set_option(tcp::no_delay(true), ec);
        const auto connection =
            connections_.emplace(connections_.end(), std::move(socket), limits_.head_bytes);
        tasks.spawn(serve(connection));
    }
}

void HttpServer::close_longest_idle() {
    for (HttpConnection& connection : connections_) {
        if (!connection.idle)
            continue;
        connection.idle = false; // closed once
        error_code ignored;
        connection.socket.close(ignored);
        return;
    }
}

asio::awaitable<void> HttpServer::serve(Connections::iterator connection) {
    struct Ending {
        HttpServer& server;
        Connections::iterator connection;

        ~Ending() {
            server.connections_.erase(connection);
            server.connection_ended_.notify();
        }
    } const ending{*this, connection};

    std::string failure;
    try {
        co_await serve_requests(connection);
        co_return;
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted)
            throw;
        failure = error.what();
    } catch (const std::exception& error) {
        failure = error.what();
    }
    // One connection's trouble must not take the probes down with it.
    log::error("a connection failed", {{"port", port()}, {"error", failure}});
}

asio::awaitable<void> HttpServer::serve_requests(Connections::iterator connection) {
    rt::Duration patience = limits_.request;
    for (;;) {
        if (connection->buffer.size() == 0) {
            connection->idle = true;
            connections_.splice(connections_.end(), connections_, connection);
            const auto first =
                co_await rt::with_deadline(runtime_, patience, read_more(*connection));
            if (!first)
                co_return;
        }
        connection->idle = false;
        const auto next =
            co_await rt::with_deadline(runtime_, limits_.request, exchange(*connection));
        if (!next)
            co_return;
        if (*next == Next::close)
            break;
        patience = limits_.idle;
    }
    connection->idle = true;
    co_await rt::with_deadline(runtime_, std::chrono::seconds(1), say_goodbye(*connection));
}

asio::awaitable<Result<HttpServer::Next>> HttpServer::exchange(HttpConnection& connection) {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits_.head_bytes));
    parser.body_limit(0);
    const auto refused = co_await read_request(connection, parser);
    if (!refused)
        co_return refused.error();
    const auto& request = parser.get();
    const bool keep = *refused == 0 && parser.keep_alive() && request.version() == 11;
    const Reply reply = *refused == 0 ? reply_to(std::string(request.method_string()),
                                                 std::string(request.target()))
                                      : refusal(*refused);
    const auto written = co_await write_reply(
        connection.socket,
        head_of(reply, runtime_.wall_now(), keep ? After::keep_alive : After::close), reply,
        request.method() == http::verb::head ? Body::omit : Body::send);
    if (!written)
        co_return written.error();
    co_return keep ? Next::request : Next::close;
}

Reply HttpServer::reply_to(std::string_view method, std::string_view target) const {
    if (method != "GET" && method != "HEAD")
        return refusal(405);
    const std::string path(target.substr(0, target.find('?')));
    const auto handler = handlers_.find(path);
    if (handler == handlers_.end())
        return refusal(404);
    try {
        return handler->second();
    } catch (const std::exception& error) {
        log::error("a handler failed", {{"path", path}, {"error", error.what()}});
        return refusal(500);
    }
}

} // namespace oco::ops
