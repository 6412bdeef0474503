#include "session.hpp"

#include "admin.hpp"
#include "server.hpp"
#include "wire.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <array>
#include <exception>

namespace emulator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto idle_limit = std::chrono::minutes(5);
constexpr auto write_limit = std::chrono::seconds(30);
constexpr auto handshake_limit = std::chrono::seconds(30);
constexpr auto closing_limit = std::chrono::seconds(1);
constexpr std::size_t body_limit = 1U << 20U;
constexpr std::size_t drained_at_most = 16U << 20U;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

using Plain = beast::tcp_stream;
using Tls = beast::ssl_stream<beast::tcp_stream>;

enum class Next { request, polite_close, abrupt_close };

/// What one session holds between requests.
template<class Stream>
struct Session {
    Server& server;
    Stream stream;
    beast::flat_buffer buffer{};
    bool is_loopback = false;
};

Now read_clocks() {
    using namespace std::chrono;
    return {duration_cast<Instant>(steady_clock::now().time_since_epoch()),
            duration_cast<microseconds>(system_clock::now().time_since_epoch())};
}

bool is_loopback(const asio::ip::address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
    }
    return address.is_loopback();
}

asio::awaitable<void> pause_for(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(quietly);
}

asio::awaitable<void> apply_late(Server& server, Ticket ticket, Request request) {
    co_await pause_for(ticket.course.wait);
    server.engine().handle(ticket.seq, request);
}

template<class Stream>
asio::awaitable<error_code> write_text(Session<Stream>& session, std::string_view text) {
    beast::get_lowest_layer(session.stream).expires_after(write_limit);
    auto [failure, size] = co_await asio::async_write(session.stream, asio::buffer(text), quietly);
    co_return failure;
}

/// Reads and forgets until the client closes or `most` bytes came.
template<class Stream>
asio::awaitable<void> drain(Session<Stream>& session, std::size_t most) {
    std::array<char, 4096> scratch;
    for (std::size_t total = 0; total < most;) {
        auto [failure, size] =
            co_await session.stream.async_read_some(asio::buffer(scratch), quietly);
        if (failure)
            co_return;
        total += size;
    }
}

/// Sends an answer and tells what comes next.
template<class Stream>
asio::awaitable<Next> send(Session<Stream>& session, Answer answer, std::string method,
                           bool keep_alive) {
    keep_alive = keep_alive && !asks_to_close(answer);
    const auto wire =
        serialize(answer, method, keep_alive ? AfterAnswer::keep_alive : AfterAnswer::close);
    if (co_await write_text(session, wire.text))
        co_return Next::abrupt_close;
    co_return keep_alive ? Next::request : Next::polite_close;
}

template<class Stream>
asio::awaitable<Next> send_logged(Session<Stream>& session, std::uint64_t seq, Answer answer,
                                  std::string method, bool keep_alive) {
    Engine& engine = session.server.engine();
    const auto status = answer.status;
    engine.answering(seq, status);
    const Next next = co_await send(session, std::move(answer), std::move(method), keep_alive);
    if (next == Next::abrupt_close)
        engine.sending_failed(seq, status);
    co_return next;
}

template<class Stream>
asio::awaitable<Next> reply(Session<Stream>& session, Ticket ticket, Answer answer,
                            std::string method, bool keep_alive) {
    switch (ticket.course.reply) {
    case Reply::whole:
        co_return co_await send_logged(session, ticket.seq, std::move(answer), std::move(method),
                                       keep_alive);
    case Reply::half: {
        const auto wire = serialize(answer, method, AfterAnswer::keep_alive);
        const auto shown = wire.header_size + (wire.text.size() - wire.header_size) / 2;
        (void)co_await write_text(session, std::string_view(wire.text).substr(0, shown));
        co_return Next::abrupt_close;
    }
    case Reply::hang:
        beast::get_lowest_layer(session.stream).expires_never();
        co_await drain(session, drained_at_most);
        co_return Next::abrupt_close;
    case Reply::close:
        break;
    }
    co_return Next::abrupt_close;
}

template<class Stream>
asio::awaitable<Next> serve_api(Session<Stream>& session, Request request, bool keep_alive) {
    Server& server = session.server;
    const Ticket ticket = server.engine().receive(request, read_clocks());
    const Course& course = ticket.course;
    Answer answer;
    if (course.apply == Apply::late) {
        // Runs on without this connection, as a slow server behind a broken proxy would.
        asio::co_spawn(co_await asio::this_coro::executor,
                       apply_late(server, ticket, std::move(request)), asio::detached);
        co_return Next::abrupt_close;
    }
    if (course.wait.count() > 0) {
        beast::get_lowest_layer(session.stream).expires_never();
        co_await pause_for(course.wait);
    }
    if (course.apply == Apply::now)
        answer = server.engine().handle(ticket.seq, request);
    if (course.answer)
        answer = *course.answer;
    const bool keep = keep_alive && !request.body_too_large;
    co_return co_await reply(session, ticket, std::move(answer), request.method, keep);
}

template<class Stream>
asio::awaitable<Next> serve_request(Session<Stream>& session, Request request, bool keep_alive) {
    if (!request.target.starts_with(admin_prefix)) {
        co_return co_await serve_api(session, std::move(request), keep_alive);
    }
    Answer answer = session.is_loopback
                        ? answer_admin(session.server.engine(), request, read_clocks())
                        : error_answer(403, "the admin interface is for loopback only");
    const bool keep = keep_alive && !request.body_too_large;
    co_return co_await send(session, std::move(answer), request.method, keep);
}

Request take_request(http::request<http::string_body>& message) {
    Request request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    if (const auto found = message.find(http::field::authorization); found != message.end()) {
        request.authorization = std::string(found->value());
    }
    request.content_type = std::string(message[http::field::content_type]);
    request.body = std::move(message.body());
    return request;
}

/// Reads one request and serves it.
template<class Stream>
asio::awaitable<Next> next_request(Session<Stream>& session) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_limit);
    beast::get_lowest_layer(session.stream).expires_after(idle_limit);
    auto [failure, size] =
        co_await http::async_read_header(session.stream, session.buffer, parser, quietly);
    if (!failure && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
        if (co_await write_text(session, "HTTP/1.1 100 Continue\r\n\r\n")) {
            co_return Next::abrupt_close;
        }
    }
    if (!failure) {
        auto [body_failure, body_size] =
            co_await http::async_read(session.stream, session.buffer, parser, quietly);
        failure = body_failure;
    }
    const bool too_large = failure == http::error::body_limit;
    if (failure == http::error::end_of_stream)
        co_return Next::polite_close;
    const bool malformed =
        failure.category() == make_error_code(http::error::bad_method).category();
    if (failure && !too_large && !malformed)
        co_return Next::abrupt_close;
    if (malformed && !too_large && failure != http::error::partial_message) {
        co_return co_await send(session, error_answer(400, "Malformed HTTP request"), "GET", false);
    }
    if (failure == http::error::partial_message)
        co_return Next::abrupt_close;
    const bool keep_alive = parser.get().keep_alive();
    Request request = take_request(parser.get());
    request.body_too_large = too_large;
    if (too_large)
        request.body.clear();
    co_return co_await serve_request(session, std::move(request), keep_alive);
}

asio::awaitable<void> close_politely(Session<Plain>& session) {
    auto& lowest = beast::get_lowest_layer(session.stream);
    error_code ignored;
    lowest.socket().shutdown(tcp::socket::shutdown_send, ignored);
    lowest.expires_after(closing_limit);
    // Closing with unread bytes would send a reset that can overtake the answer.
    co_await drain(session, drained_at_most);
}

asio::awaitable<void> close_politely(Session<Tls>& session) {
    auto& lowest = beast::get_lowest_layer(session.stream);
    lowest.expires_after(closing_limit);
    co_await session.stream.async_shutdown(quietly);
    error_code ignored;
    lowest.socket().shutdown(tcp::socket::shutdown_send, ignored);
    std::array<char, 4096> scratch;
    for (std::size_t total = 0; total < drained_at_most;) {
        auto [failure, size] = co_await lowest.async_read_some(asio::buffer(scratch), quietly);
        if (failure)
            co_return;
        total += size;
    }
}

template<class Stream>
asio::awaitable<void> serve_requests(Session<Stream>& session) {
    Next next = Next::request;
    while (next == Next::request)
        next = co_await next_request(session);
    if (next == Next::polite_close)
        co_await close_politely(session);
    error_code ignored;
    beast::get_lowest_layer(session.stream).socket().close(ignored);
}

} // namespace

asio::awaitable<void> serve_connection(Server& server, tcp::socket socket) {
    error_code failure;
    socket.set_option(tcp::no_delay(true), failure);
    const auto peer = socket.remote_endpoint(failure);
    if (failure)
        co_return; // gone already
    const bool loopback = is_loopback(peer.address());
    try {
        if (!server.tls()) {
            Session<Plain> session{server, Plain(std::move(socket)), {}, loopback};
            co_await serve_requests(session);
            co_return;
        }
        Session<Tls> session{server, Tls(std::move(socket), *server.tls()), {}, loopback};
        beast::get_lowest_layer(session.stream).expires_after(handshake_limit);
        auto [refused] =
            co_await session.stream.async_handshake(asio::ssl::stream_base::server, quietly);
        if (!refused)
            co_await serve_requests(session);
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "omni-emulator: a connection failed: %s\n", exception.what());
    }
}

} // namespace emulator
