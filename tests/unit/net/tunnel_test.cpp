// SystemRuntime through a proxy: real sockets on loopback.
#include "rt/deadline.hpp"
#include "rt/system_runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <exception>
#include <optional>

using namespace oco;
using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

constexpr auto use_tuple = asio::as_tuple(asio::use_awaitable);

// Takes one connection, keeps the head of what it asks for, answers, and then echoes one read.
struct FakeProxy {
    explicit FakeProxy(asio::io_context& context)
        : acceptor(context, {asio::ip::address_v4::loopback(), 0}) {}

    asio::awaitable<void> serve(std::string answer) {
        auto [accept_error, socket] = co_await acceptor.async_accept(use_tuple);
        if (accept_error)
            co_return;
        co_await asio::async_read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n", use_tuple);
        co_await asio::async_write(socket, asio::buffer(answer), use_tuple);
        char bytes[64];
        const auto [ec, size] = co_await socket.async_read_some(asio::buffer(bytes), use_tuple);
        if (!ec)
            co_await asio::async_write(socket, asio::buffer(bytes, size), use_tuple);
    }

    [[nodiscard]] std::shared_ptr<const net::Proxy> proxy() const {
        return *net::parse_proxy_url("http://me:s3cr3t@127.0.0.1:" +
                                     std::to_string(acceptor.local_endpoint().port()));
    }

    tcp::acceptor acceptor;
    std::string head;
};

// What comes back for "ping" through the tunnel, or the error.
asio::awaitable<Result<std::string>> ping(rt::Runtime& runtime, rt::Endpoint endpoint) {
    auto stream = co_await runtime.connect(std::move(endpoint));
    if (!stream)
        co_return stream.error();
    if (auto written = co_await (*stream)->write("ping"); !written)
        co_return written.error();
    char bytes[64];
    const auto size = co_await (*stream)->read_some(bytes);
    if (!size)
        co_return size.error();
    co_return std::string(bytes, *size);
}

struct Fixture {
    asio::io_context context{1};
    rt::SystemRuntime runtime{context};
    FakeProxy proxy{context};

    Result<std::string> through(const std::string& answer, rt::Endpoint endpoint) {
        std::optional<Result<std::string>> out;
        asio::co_spawn(context, proxy.serve(answer), [](const std::exception_ptr&) {});
        asio::co_spawn(context, rt::with_deadline(runtime, 10s, ping(runtime, std::move(endpoint))),
                       [&](const std::exception_ptr& failure, Result<std::string> result) {
                           CHECK(!failure);
                           out.emplace(std::move(result));
                           proxy.acceptor.close();
                       });
        context.run();
        REQUIRE(out.has_value());
        return std::move(*out);
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "a tunnel carries what is said, and the proxy does the look-up") {
    const auto answer = through("HTTP/1.1 200 OK\r\n\r\n",
                                {.host = "omni.invalid", .port = 443, .proxy = proxy.proxy()});
    REQUIRE(answer.has_value());
    CHECK(*answer == "ping");
    CHECK(proxy.head == "CONNECT omni.invalid:443 HTTP/1.1\r\nHost: omni.invalid:443\r\n"
                        "Proxy-Authorization: Basic bWU6czNjcjN0\r\n\r\n");
}

TEST_CASE_FIXTURE(Fixture, "a proxy that refuses, and one that is not there") {
    const auto refused = through("HTTP/1.1 407 Who are you\r\n\r\n",
                                 {.host = "omni.invalid", .port = 443, .proxy = proxy.proxy()});
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorClass::unavailable);
    CHECK(refused.error().message.find("rejected the credentials") != std::string::npos);
    CHECK(refused.error().message.find("s3cr3t") == std::string::npos);

    Fixture closed;
    const auto gone = closed.proxy.proxy();
    closed.proxy.acceptor.close();
    const auto absent = closed.through("", {.host = "omni.invalid", .port = 443, .proxy = gone});
    REQUIRE(absent.has_error());
    CHECK(absent.error().message.starts_with("the proxy: connect to 127.0.0.1:"));
}

TEST_CASE_FIXTURE(Fixture, "TLS begins with the target, behind the proxy") {
    auto tls = net::make_tls_context({});
    REQUIRE(tls.has_value());
    const auto answer =
        through("HTTP/1.1 200 OK\r\n\r\n",
                {.host = "omni.invalid", .port = 443, .tls = *tls, .proxy = proxy.proxy()});
    REQUIRE(answer.has_error()); // what it says is echoed, which is no TLS server
    CHECK(answer.error().message.starts_with("TLS handshake with omni.invalid: "));
}
