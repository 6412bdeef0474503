// An idle connection that the server closes: real sockets on loopback.
#include "http/client.hpp"
#include "rt/system_runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <exception>

using namespace oco;
using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

struct Server {
    tcp::acceptor& acceptor;
    int served = 0;
    bool client_closed = false;
};

// Answers two requests on one connection, stops sending, and waits for the other side.
asio::awaitable<void> serve(Server& server) {
    auto socket = co_await server.acceptor.async_accept(asio::use_awaitable);
    std::string received;
    for (; server.served < 2; ++server.served) {
        const auto size = co_await asio::async_read_until(socket, asio::dynamic_buffer(received),
                                                          "\r\n\r\n", asio::use_awaitable);
        received.erase(0, size);
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
    }
    socket.shutdown(tcp::socket::shutdown_send);
    char byte = 0;
    const auto [end, size] = co_await socket.async_read_some(asio::buffer(&byte, 1),
                                                             asio::as_tuple(asio::use_awaitable));
    server.client_closed = end == asio::error::eof;
}

asio::awaitable<void> ask_twice(http::Client& client, std::vector<std::string>& bodies) {
    for (int i = 0; i < 2; ++i) {
        const auto response = co_await client.send({}, 5s);
        bodies.emplace_back(response ? response->body.expose() : response.error().message);
    }
}

void rethrow(const std::exception_ptr& failure) {
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace

TEST_CASE("http client: an idle connection that the server closes is closed at once") {
    asio::io_context context(1);
    rt::SystemRuntime runtime(context);
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    Server server{acceptor};
    http::Client client(
        runtime, {.host = "127.0.0.1", .port = acceptor.local_endpoint().port(), .tls = nullptr},
        {});
    std::vector<std::string> bodies;
    asio::co_spawn(context, serve(server), rethrow);
    asio::co_spawn(context, ask_twice(client, bodies), rethrow);
    context.run_for(5s); // ends when nothing is left to do
    CHECK(bodies == std::vector<std::string>{"ok", "ok"});
    CHECK(server.served == 2); // on one connection
    CHECK(server.client_closed);
}
