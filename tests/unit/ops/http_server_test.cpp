#include "ops/http_server.hpp"
#include "rt/deadline.hpp"
#include "rt/system_runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace oco;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto patience = 5s; // a wait that takes this long has failed

// One connection to the server. Each wait has a deadline; a failure throws, and fails the test.
class Client {
  public:
    static asio::awaitable<Client> open(rt::Runtime& runtime, std::uint16_t port,
                                        std::string host = "127.0.0.1") {
        auto stream =
            co_await rt::with_deadline(runtime, patience, runtime.connect({host, port, {}, {}}));
        co_return Client(runtime, std::move(stream.value()));
    }

    asio::awaitable<void> send(std::string text) {
        const auto sent = co_await rt::with_deadline(*runtime_, patience, stream_->write(text));
        sent.value();
    }

    // Head and, as Content-Length says, body. Throws when the connection ends before.
    asio::awaitable<std::string> read_reply(bool has_body = true) {
        while (received_.find("\r\n\r\n") == std::string::npos)
            co_await read_more();
        std::size_t size = received_.find("\r\n\r\n") + 4;
        if (has_body) {
            const auto length = received_.find("Content-Length: ");
            size += std::stoul(received_.substr(length + 16));
        }
        while (received_.size() < size)
            co_await read_more();
        std::string reply = received_.substr(0, size);
        received_.erase(0, size);
        co_return reply;
    }

    // What still comes until the server closes.
    asio::awaitable<std::string> read_to_end() {
        while (co_await read_some() > 0) {
        }
        co_return std::move(received_);
    }

    asio::awaitable<std::string> get(std::string path, std::string more = "") {
        co_await send("GET " + path + " HTTP/1.1\r\nHost: test\r\n" + more + "\r\n");
        co_return co_await read_reply();
    }

    void close() { stream_->close(); }

  private:
    Client(rt::Runtime& runtime, std::unique_ptr<rt::Stream> stream)
        : runtime_(&runtime), stream_(std::move(stream)) {}

    asio::awaitable<void> read_more() {
        if (co_await read_some() == 0)
            throw std::runtime_error("the server closed early, after: " + received_);
    }

    // 0: closed, or reset.
    asio::awaitable<std::size_t> read_some() {
        char bytes[4096];
        auto read = stream_->read_some(bytes);
        const auto size = co_await rt::with_deadline(*runtime_, patience, std::move(read));
        if (!size && size.error().message.find("no response") != std::string::npos)
            throw std::runtime_error("the server sent nothing and did not close");
        received_.append(bytes, size ? *size : 0);
        co_return size ? *size : 0;
    }

    rt::Runtime* runtime_;
    std::unique_ptr<rt::Stream> stream_;
    std::string received_;
};

ops::Handlers handlers() {
    return {{"/healthz",
             [] {
                 return ops::Reply{.body = "ok\n"};
             }},
            {"/readyz",
             [] {
                 return ops::Reply{.status = 503, .body = "not synced\n"};
             }},
            {"/metrics",
             [] {
                 return ops::Reply{.content_type = "text/plain; version=0.0.4",
                                   .body = std::string(1'000'000, 'm')};
             }},
            {"/broken", []() -> ops::Reply {
                 throw std::runtime_error("a bug");
             }}};
}

// A failure of a script becomes one of its test case.
void rethrow(const std::exception_ptr& failure) {
    if (failure)
        std::rethrow_exception(failure);
}

using Script = asio::awaitable<void> (*)(rt::Runtime& runtime, std::uint16_t port);

asio::awaitable<void> run_script(rt::TaskGroup& group, Script script, rt::Runtime& runtime,
                                 std::uint16_t port) {
    co_await script(runtime, port);
    group.cancel(); // the server, too
}

asio::awaitable<void> serve_script(rt::Runtime& runtime, ops::HttpServer& server, Script script,
                                   bool& joined) {
    rt::TaskGroup group(runtime);
    group.spawn(server.run());
    group.spawn(run_script(group, script, runtime, server.port()));
    co_await group.join();
    joined = true;
}

// Runs the server and the script; returns once both have ended.
void with_server(Script script, ops::HttpServerLimits limits = {}) {
    asio::io_context context;
    rt::SystemRuntime runtime(context);
    ops::HttpServer server(runtime, handlers(), limits);
    REQUIRE(server.listen("127.0.0.1:0").has_value());
    REQUIRE(server.port() != 0);
    bool joined = false;
    asio::co_spawn(context, serve_script(runtime, server, script, joined), rethrow);
    context.run_for(20s);
    CHECK(joined);
    REQUIRE(context.stopped()); // nothing was left behind
}

bool starts_with(const std::string& text, std::string_view start) {
    return text.starts_with(start);
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("http server: answers GET, and keeps the connection") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        auto client = co_await Client::open(runtime, port);
        const auto healthy = co_await client.get("/healthz");
        CHECK(starts_with(healthy, "HTTP/1.1 200 OK\r\nDate: "));
        CHECK(contains(healthy, " GMT\r\n"));
        CHECK(contains(healthy, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
        CHECK(contains(healthy, "\r\nContent-Length: 3\r\n"));
        CHECK(healthy.ends_with("\r\n\r\nok\n"));
        CHECK_FALSE(contains(healthy, "Connection:"));

        const auto ready = co_await client.get("/readyz?verbose");
        CHECK(starts_with(ready, "HTTP/1.1 503 Service Unavailable\r\n"));
        CHECK(ready.ends_with("not synced\n"));

        const auto metrics = co_await client.get("/metrics");
        CHECK(contains(metrics, "\r\nContent-Type: text/plain; version=0.0.4\r\n"));
        CHECK(metrics.ends_with(std::string(1'000'000, 'm')));

        const auto absent = co_await client.get("/metrics/");
        CHECK(starts_with(absent, "HTTP/1.1 404 Not Found\r\n"));
        const auto broken = co_await client.get("/broken");
        CHECK(starts_with(broken, "HTTP/1.1 500 Internal Server Error\r\n"));
        CHECK_FALSE(contains(broken, "a bug"));
    });
}

TEST_CASE("http server: HEAD is GET without the body") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        auto client = co_await Client::open(runtime, port);
        co_await client.send("HEAD /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
        const auto head = co_await client.read_reply(false);
        CHECK(starts_with(head, "HTTP/1.1 200 OK\r\n"));
        CHECK(contains(head, "\r\nContent-Length: 1000000\r\n"));
        CHECK(starts_with(co_await client.get("/healthz"), "HTTP/1.1 200 OK\r\n"));
    });
}

TEST_CASE("http server: the bytes of an answer") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        struct Case {
            std::string request;
            std::string status;
            std::string fields;
            std::string body;
        };
        const std::string length = "Content-Type: text/plain; charset=utf-8\r\nContent-Length: ";
        const std::string end = "Connection: close\r\n";
        const std::vector<Case> cases = {
            {"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "200 OK", length + "3\r\n" + end,
             "ok\n"},
            {"HEAD /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "200 OK",
             length + "3\r\n" + end, ""},
            {"HEAD /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n", "404 Not Found",
             length + "10\r\n" + end, ""},
            {"PUT /healthz HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "405 Method Not Allowed",
             length + "19\r\nAllow: GET, HEAD\r\n" + end, "Method Not Allowed\n"},
            {"HEAD / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "413 Payload Too Large",
             length + "18\r\n" + end, ""},
            {"nonsense\r\n\r\n", "400 Bad Request", length + "12\r\n" + end, "Bad Request\n"},
        };
        for (const Case& c : cases) {
            CAPTURE(c.request);
            auto client = co_await Client::open(runtime, port);
            co_await client.send(c.request);
            auto all = co_await client.read_to_end();
            const std::string start = "HTTP/1.1 " + c.status + "\r\nDate: ";
            CHECK(starts_with(all, start));
            all.erase(start.size(), std::string_view("Tue, 24 Nov 2026 20:24:51 GMT").size());
            CHECK(all == start + "\r\n" + c.fields + "\r\n" + c.body);
        }
    });
}

TEST_CASE("http server: a peer that ends its side is answered what it has asked") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        for (const std::string request : {"", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nA: b",
                                          "GET /healthz HTTP/1.1\r\n\r\n"}) {
            CAPTURE(request);
            tcp::socket socket(runtime.executor());
            const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
            co_await socket.async_connect(server, asio::use_awaitable);
            co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
            socket.shutdown(tcp::socket::shutdown_send);
            std::string all;
            const auto [ec, size] = co_await asio::async_read(socket, asio::dynamic_buffer(all),
                                                              asio::as_tuple(asio::use_awaitable));
            CHECK(ec == asio::error::eof);
            const bool whole = request.ends_with("\r\n\r\n");
            CHECK(starts_with(all, whole ? "HTTP/1.1 200 OK\r\n" : ""));
            CHECK(all.empty() != whole);
        }
    });
}

TEST_CASE("http server: requests that arrive in pieces, or two at once") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        auto client = co_await Client::open(runtime, port);
        const std::string request = "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n";
        for (const char c : request)
            co_await client.send(std::string(1, c));
        CHECK((co_await client.read_reply()).ends_with("ok\n"));

        co_await client.send("GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n" + request +
                             request.substr(0, 10));
        CHECK((co_await client.read_reply()).ends_with("not synced\n"));
        CHECK((co_await client.read_reply()).ends_with("ok\n"));
        co_await client.send(request.substr(10));
        CHECK((co_await client.read_reply()).ends_with("ok\n"));
    });
}

TEST_CASE("http server: closes when it is asked to") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        for (const char* request :
             {"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /healthz HTTP/1.0\r\n\r\n",
              "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"}) {
            CAPTURE(request);
            auto client = co_await Client::open(runtime, port);
            co_await client.send(request);
            const auto all = co_await client.read_to_end();
            CHECK(starts_with(all, "HTTP/1.1 200 OK\r\n"));
            CHECK(contains(all, "\r\nConnection: close\r\n"));
            CHECK(all.ends_with("\r\n\r\nok\n"));
        }
    });
}

TEST_CASE("http server: refuses what it does not serve, with an answer") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        const std::string long_line(5000, 'x');
        struct Case {
            std::string request;
            std::string_view status;
        };
        const std::vector<Case> cases = {
            {"nonsense\r\n\r\n", "400 Bad Request"},
            {"GET /healthz HTTP/2.0\r\n\r\n", "400 Bad Request"},
            {std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), "400 Bad Request"}, // TLS
            {"POST /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "413 Payload Too Large"},
            {"GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
             "413 Payload Too Large"},
            {"GET /" + long_line + long_line + " HTTP/1.1\r\n\r\n",
             "431 Request Header Fields Too Large"},
            {"GET /" + long_line + " HTTP/1.1\r\nA: " + long_line + "\r\n\r\n",
             "431 Request Header Fields Too Large"},
        };
        for (const Case& c : cases) {
            CAPTURE(c.status);
            auto client = co_await Client::open(runtime, port);
            co_await client.send(c.request);
            const auto all = co_await client.read_to_end();
            CHECK(starts_with(all, "HTTP/1.1 " + std::string(c.status) + "\r\n"));
            CHECK(contains(all, "\r\nConnection: close\r\n"));
        }

        auto client = co_await Client::open(runtime, port);
        for (const char* method : {"DELETE", "get", "OPTIONS"}) {
            co_await client.send(std::string(method) + " /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
            const auto reply = co_await client.read_reply();
            CHECK(starts_with(reply, "HTTP/1.1 405 Method Not Allowed\r\n"));
            CHECK(contains(reply, "\r\nAllow: GET, HEAD\r\n"));
        }
        CHECK((co_await client.get("/healthz")).ends_with("ok\n")); // those keep the connection
    });
}

TEST_CASE("http server: the limit of a head") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        // The field alone, and the whole head, of so many bytes.
        const auto head_of = [](std::size_t bytes) {
            const std::string start = "GET /healthz HTTP/1.1\r\nA: ";
            return start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n";
        };
        auto client = co_await Client::open(runtime, port);
        for (const std::size_t bytes : {8191, 8192, 100, 8192}) {
            CAPTURE(bytes);
            co_await client.send(head_of(bytes));
            CHECK((co_await client.read_reply()).ends_with("ok\n"));
        }
        // Each request has the limit for itself, wherever it begins in what is read.
        co_await client.send(head_of(5000) + head_of(8000) + head_of(5000));
        for (int i = 0; i < 3; ++i)
            CHECK((co_await client.read_reply()).ends_with("ok\n"));
        co_await client.send(head_of(8193));
        CHECK(starts_with(co_await client.read_to_end(),
                          "HTTP/1.1 431 Request Header Fields Too Large\r\n"));
        // Without an end in sight, too.
        client = co_await Client::open(runtime, port);
        co_await client.send(head_of(8193).substr(0, 8192));
        CHECK(starts_with(co_await client.read_to_end(),
                          "HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    });
}

TEST_CASE("http server: half a request and a silent peer end at the deadline") {
    with_server(
        [](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
            auto silent = co_await Client::open(runtime, port);
            auto slow = co_await Client::open(runtime, port);
            co_await slow.send("GET /healthz HT");
            CHECK(co_await slow.read_to_end() == "");
            CHECK(co_await silent.read_to_end() == "");
        },
        {.request = 50ms});
}

TEST_CASE(
    "http server: an idle connection is kept longer than a request may take, but not for ever") {
    with_server(
        [](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
            auto client = co_await Client::open(runtime, port);
            co_await client.get("/healthz");
            const auto begin = runtime.now();
            CHECK(co_await client.read_to_end() == "");
            CHECK(runtime.now() - begin >= 140ms);
        },
        {.request = 20ms, .idle = 150ms});
}

TEST_CASE("http server: a reader that stops reading ends at the deadline") {
    with_server(
        [](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
            auto client = co_await Client::open(runtime, port);
            std::string requests;
            for (int i = 0; i < 40; ++i) // 40 MB do not fit into socket buffers
                requests += "GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n";
            co_await client.send(requests);
            // With room for one connection, this one is served only after that one has ended.
            auto other = co_await Client::open(runtime, port);
            CHECK((co_await other.get("/healthz")).ends_with("ok\n"));
        },
        {.connections = 1, .request = 100ms});
}

TEST_CASE("http server: at the limit, the longest idle connection makes room") {
    with_server(
        [](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
            auto first = co_await Client::open(runtime, port);
            co_await first.get("/healthz");
            auto second = co_await Client::open(runtime, port);
            co_await second.get("/healthz");
            co_await first.get("/healthz"); // now the second has been idle for longer
            auto third = co_await Client::open(runtime, port);
            CHECK((co_await third.get("/healthz")).ends_with("ok\n"));
            CHECK(co_await second.read_to_end() == "");
            CHECK((co_await first.get("/healthz")).ends_with("ok\n"));
        },
        {.connections = 2});
}

TEST_CASE("http server: at the limit, busy connections are not cut") {
    with_server(
        [](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
            auto busy = co_await Client::open(runtime, port);
            co_await busy.get("/healthz");
            co_await busy.send("GET /healthz HTTP/1.1\r\n"); // its head goes on
            auto waiting = co_await Client::open(runtime, port);
            co_await waiting.send("GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n");
            co_await busy.send("Connection: close\r\n\r\n");
            CHECK((co_await busy.read_reply()).ends_with("ok\n"));
            CHECK((co_await waiting.read_reply()).ends_with("not synced\n"));
        },
        {.connections = 1});
}

TEST_CASE("http server: many clients that come and go") {
    with_server([](rt::Runtime& runtime, std::uint16_t port) -> asio::awaitable<void> {
        std::vector<Client> clients;
        for (int i = 0; i < 200; ++i) {
            clients.push_back(co_await Client::open(runtime, port));
            CHECK((co_await clients.back().get("/healthz")).ends_with("ok\n"));
            if (i % 3 == 0)
                clients.back().close();
        }
    });
}

namespace {

asio::awaitable<void> cancel_server(rt::Runtime& runtime, ops::HttpServer& server,
                                    std::vector<Client>& clients, bool& joined) {
    rt::TaskGroup group(runtime);
    group.spawn(server.run());
    for (int i = 0; i < 3; ++i)
        clients.push_back(co_await Client::open(runtime, server.port()));
    co_await clients[1].get("/healthz"); // idle
    co_await clients[2].get("/healthz");
    co_await clients[2].send("GET /hea"); // in the middle of a request
    group.cancel();
    co_await group.join();
    joined = true;
    for (Client& client : clients)
        CHECK(co_await client.read_to_end() == "");
}

} // namespace

TEST_CASE("http server: cancelling cuts open connections and joins them") {
    asio::io_context context;
    rt::SystemRuntime runtime(context);
    ops::HttpServer server(runtime, handlers());
    REQUIRE(server.listen("127.0.0.1:0").has_value());
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server.port());
    std::vector<Client> clients; // outlive the server's run
    bool joined = false;
    asio::co_spawn(context, cancel_server(runtime, server, clients, joined), rethrow);
    context.run_for(patience);
    CHECK(joined);
    REQUIRE(context.stopped());
    boost::system::error_code ec;
    tcp::socket late(context);
    late.connect(endpoint, ec);
    CHECK(ec == asio::error::connection_refused);
}

TEST_CASE("http server: an address in use is one clear line") {
    asio::io_context context;
    rt::SystemRuntime runtime(context);
    ops::HttpServer first(runtime, handlers());
    CHECK(first.port() == 0);
    REQUIRE(first.listen("127.0.0.1:0").has_value());
    const std::string address = "127.0.0.1:" + std::to_string(first.port());
    ops::HttpServer second(runtime, handlers());
    const auto failed = second.listen(address);
    REQUIRE(failed.has_error());
    CHECK(failed.error().message == "cannot listen on " + address + ": Address already in use");
    CHECK(second.port() == 0);
    CHECK(second.listen("nonsense").error().kind == ErrorClass::invalid);
    CHECK(second.listen("127.0.0.1:0").has_value()); // a failure leaves nothing behind
}

TEST_CASE("http server: without a host it takes both families") {
    asio::io_context context;
    boost::system::error_code ec;
    tcp::acceptor probe(context);
    probe.open(tcp::v6(), ec);
    if (!ec)
        probe.bind({asio::ip::address_v6::loopback(), 0}, ec);
    const bool has_v6 = !ec;
    probe.close(ec);

    rt::SystemRuntime runtime(context);
    ops::HttpServer server(runtime, handlers());
    REQUIRE(server.listen(":0").has_value());
    tcp::socket v4(context);
    v4.connect({asio::ip::address_v4::loopback(), server.port()}, ec); // the kernel's backlog
    CHECK_FALSE(ec);
    if (!has_v6) {
        MESSAGE("no IPv6 on this machine: only IPv4 was tried");
        return;
    }
    tcp::socket v6(context);
    v6.connect({asio::ip::address_v6::loopback(), server.port()}, ec);
    CHECK_FALSE(ec);
    ops::HttpServer loopback(runtime, handlers());
    CHECK(loopback.listen("[::1]:0").has_value());
}
