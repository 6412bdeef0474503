#include "http/client.hpp"
#include "support/gzip.hpp"
#include "support/scripted_network.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::http;
using namespace oco::test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    ScriptedNetwork network;
    http::Client client{network, {.host = "omni.example", .port = 443}, {.user_agent = "test"}};

    Result<Response> send(const std::string& method = "GET", rt::Duration deadline = 10s) {
        Request request;
        request.method = method;
        return network.run(client.send(std::move(request), deadline));
    }

    // The body of the answer to a GET, or the error.
    std::string said() {
        const auto response = send();
        return response ? std::string(response->body.expose()) : response.error().message;
    }
};

Reply in_single_bytes(const std::string& bytes) {
    Reply reply;
    for (const char c : bytes)
        reply.pieces.emplace_back(1, c);
    return reply;
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "http client: an answer in pieces, and the connection is used again") {
    network.connections = {{.replies = {in_single_bytes(http_answer("200 OK", "first")),
                                        answers("404 No", "second")}}};
    auto first = send();
    REQUIRE(first.has_value());
    CHECK(first->status == 200);
    CHECK(first->body.expose() == "first");
    auto second = send("PATCH");
    REQUIRE(second.has_value());
    CHECK(second->status == 404);
    CHECK(network.endpoints.size() == 1);
    CHECK(network.requests.front() ==
          "GET / HTTP/1.1\r\nHost: omni.example:443\r\nUser-Agent: test\r\n\r\n");
}

TEST_CASE_FIXTURE(Fixture, "http client: connections that are not used again") {
    network.connections = {
        {.replies = {answers("200 OK", "1", "Connection: close\r\n")}},
        {.replies = {answers("200 OK", "2")}, .seems_open = false},
        {.replies = {answers("200 OK", "3")}},
        {.replies = {answers("200 OK", "4")}},
        {.replies = {answers("200 OK", "5")}},
    };
    CHECK(said() == "1"); // asked to close
    CHECK(said() == "2"); // closed meanwhile
    CHECK(said() == "3");
    network.pass(51s); // idle for too long
    CHECK(said() == "4");
    client.set_endpoint({.host = "other.example", .port = 443});
    CHECK(said() == "5");
    CHECK(network.endpoints.back().host == "other.example");
}

TEST_CASE("http client: requests at once, on as many connections as it may have") {
    ScriptedNetwork network;
    http::Client client(network, {.host = "omni.example", .port = 443},
                        {.max_connections = 2, .patience = 3s, .max_idle = 2});
    std::string order;
    const auto start = [&](char name, rt::Urgency urgency) {
        Request request;
        request.urgency = urgency;
        asio::co_spawn(
            network.executor(),
            [](http::Client& c, Request r, char n, std::string& ended) -> asio::awaitable<void> {
                const auto response = co_await c.send(std::move(r), 10s);
                ended += response ? n : '-';
            }(client, std::move(request), name, order),
            [](const std::exception_ptr& failure) { CHECK(!failure); });
    };
    const auto start_all = [&] {
        start('a', rt::Urgency::normal);
        start('b', rt::Urgency::normal);
        start('c', rt::Urgency::background);
        start('d', rt::Urgency::normal);
        start('e', rt::Urgency::first);
    };
    const Reply slow{.pieces = {http_answer("200 OK", "")}, .after = 1s};
    SUBCASE("they take turns") {
        network.connections = {{.replies = {slow, slow, slow}},
                               {.replies = {slow, slow, slow}},
                               {.replies = {slow, slow, slow}}};
        start_all();
        network.pass(5s);
        CHECK(order.substr(0, 3) == "abe"); // the first does not wait
        CHECK(order == "abedc");
        CHECK(network.endpoints.size() == 3);
    }
    SUBCASE("where there are no answers, who waited for long goes on") {
        network.connections = {
            {}, {}, {.replies = {slow, slow, slow}}, {.replies = {slow}}, {.replies = {slow}}};
        start_all();
        network.pass(5s);
        CHECK(order.size() == 3);
        network.pass(10s);
        CHECK(order.substr(3) == "--");
    }
}

TEST_CASE_FIXTURE(Fixture, "http client: a connection of an old endpoint does not come back") {
    network.connections = {{.replies = {{.pieces = {http_answer("200 OK", "1")}, .after = 2s}}},
                           {.replies = {answers("200 OK", "2")}}};
    asio::co_spawn(
        network.executor(),
        [](ScriptedNetwork& net, http::Client& c) -> asio::awaitable<void> {
            co_await net.sleep(1s);
            c.set_endpoint({.host = "other.example", .port = 443});
        }(network, client),
        [](const std::exception_ptr& failure) { CHECK(!failure); });
    CHECK(said() == "1");
    CHECK(said() == "2");
    CHECK(network.endpoints.back().host == "other.example");
}

TEST_CASE("http client: a GET survives a stale connection") {
    for (const auto then : {Reply::Then::closes, Reply::Then::fails}) {
        Fixture at;
        at.network.connections = {
            {.replies = {answers("200 OK", "1"), {.pieces = {}, .then = then}}},
            {.replies = {answers("200 OK", "2")}}};
        CHECK(at.said() == "1");
        CHECK(at.said() == "2");
        CHECK(at.network.endpoints.size() == 2);
        CHECK(at.network.requests.size() == 3);
    }
}

TEST_CASE("http client: what is not sent again") {
    const Reply closes{.pieces = {}, .then = Reply::Then::closes};
    SUBCASE("on a fresh connection") {
        Fixture at;
        at.network.connections = {{.replies = {closes}}};
        const auto failed = at.send();
        REQUIRE(failed.has_error());
        CHECK(failed.error().message == "the connection was closed without a response");
        CHECK(failed.error().sent == Sent::maybe);
        CHECK(at.network.endpoints.size() == 1);
    }
    SUBCASE("a GET for a third time") {
        Fixture at;
        at.network.connections = {{.replies = {answers("200 OK", "1"), closes}},
                                  {.replies = {closes}}};
        CHECK(at.send().has_value());
        CHECK(at.send().has_error());
        CHECK(at.network.endpoints.size() == 2);
    }
    SUBCASE("what may have side effects") {
        for (const char* method : {"PATCH", "POST", "PUT", "DELETE"}) {
            Fixture at;
            at.network.connections = {{.replies = {answers("200 OK", "1"), closes}}};
            CHECK(at.send().has_value());
            const auto failed = at.send(method);
            REQUIRE(failed.has_error());
            CHECK(failed.error().sent == Sent::maybe);
            CHECK(at.network.endpoints.size() == 1);
        }
    }
    SUBCASE("after the first byte of an answer") {
        Fixture at;
        at.network.connections = {{.replies = {answers("200 OK", "1"),
                                               {.pieces = {"HTTP"}, .then = Reply::Then::fails}}}};
        CHECK(at.send().has_value());
        CHECK(at.send().error().message == "read: connection reset");
        CHECK(at.network.endpoints.size() == 1);
    }
}

TEST_CASE_FIXTURE(Fixture, "http client: answers that are cut short") {
    const std::string whole = http_answer("200 OK", "0123456789");
    for (const std::size_t size : {std::size_t{1}, std::size_t{20}, whole.size() - 1}) {
        network.connections = {
            {.replies = {{.pieces = {whole.substr(0, size)}, .then = Reply::Then::closes}}}};
        const auto cut = send();
        REQUIRE(cut.has_error());
        CHECK(cut.error().kind == ErrorClass::unavailable);
        CHECK(cut.error().message == "the response was cut short");
    }
    network.connections = {{.replies = {{.pieces = {whole + "x"}}}}};
    CHECK(send().error().message == "unexpected bytes after the response");
}

TEST_CASE_FIXTURE(Fixture, "http client: deadlines, and what had been sent by then") {
    network.connections = {{.replies = {{.pieces = {http_answer("200 OK", "late")}, .after = 3s}}},
                           {.replies = {{.pieces = {http_answer("200 OK", "1")}, .after = 3s}}}};
    const auto started = network.now();
    const auto late = send("PATCH", 2s);
    REQUIRE(late.has_error());
    CHECK(late.error().message == "no response within 2.0 s");
    CHECK(late.error().sent == Sent::maybe);
    CHECK(network.now() - started < 2100ms);
    CHECK(send("PATCH", 4s).has_value()); // not on the connection that was given up

    network.connections = {
        {.refused = make_error(ErrorClass::unavailable, "connect: connection refused")}};
    network.pass(1min);
    const auto refused = send("PATCH");
    REQUIRE(refused.has_error());
    CHECK(refused.error().sent == Sent::no);
}

TEST_CASE_FIXTURE(Fixture, "http client: a sink takes a body of any size, but not an error's") {
    std::string taken;
    int parts = 0;
    const auto send_to_sink = [&](bool wanted) {
        return network.run(client.send({}, 10s, [&taken, &parts, wanted](std::string_view part) {
            taken += part;
            parts += part.empty() ? 0 : 1;
            return wanted;
        }));
    };
    network.connections = {
        {.replies = {in_single_bytes(http_answer("200 OK", "body")), answers("500 No", "trouble")}},
        {.replies = {in_single_bytes(http_answer("200 OK", "more than is wanted"))}},
        {.replies = {answers("200 OK", "fresh")}}};
    const auto streamed = send_to_sink(true);
    REQUIRE(streamed.has_value());
    CHECK(streamed->status == 200);
    CHECK(streamed->body.empty());
    CHECK(taken == "body");
    CHECK(parts == 4);
    const auto failed = send_to_sink(true); // on the same connection
    REQUIRE(failed.has_value());
    CHECK(failed->body.expose() == "trouble");
    CHECK(taken == "body");
    CHECK(network.endpoints.size() == 1);
    network.pass(51s); // idle for too long
    const auto stopped = send_to_sink(false);
    CHECK(stopped.has_value());
    CHECK(said() == "fresh"); // where reading stopped, nothing else is sent
    CHECK(network.endpoints.size() == 3);
}

TEST_CASE("http client: bounds of what a sink is given") {
    struct Case {
        std::string status;
        std::size_t size;
        bool fits;
    };

    for (const auto& [status, size, fits] : {Case{"200 OK", 64, true}, Case{"200 OK", 65, false},
                                             Case{"500 No", 16, true}, Case{"500 No", 17, false}}) {
        INFO(status << ", " << size);
        ScriptedNetwork network;
        http::Client client(network, {.host = "omni.example", .port = 443},
                            {.body_limit = 16, .sink_limit = 64});
        network.connections = {
            {.replies = {in_single_bytes(http_answer(status, std::string(size, 'x')))}}};
        const auto response =
            network.run(client.send({}, 10s, [](std::string_view /*part*/) { return true; }));
        CHECK(response.has_value() == fits);
        if (!fits)
            CHECK(response.error().kind == ErrorClass::too_large);
    }
}

TEST_CASE_FIXTURE(Fixture, "http client: a stream gives what comes, as it comes") {
    GzipStream events;
    const auto chunk = [](const std::string& bytes) {
        char size[16];
        std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
        return size + bytes + "\r\n";
    };
    network.connections = {
        {.replies = {{.pieces = {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n",
                                 chunk(events.flushed("one")), chunk(events.flushed("two")),
                                 chunk(events.finished()) + "0\r\n\r\n"}}}}};
    Request request;
    request.accept_encoding = Encoding::gzip;
    const auto stream = network.run(client.open(std::move(request), 10s));
    REQUIRE(stream.has_value());
    CHECK((*stream)->head().status == 200);
    CHECK(network.run((*stream)->read())->expose() == "one");
    CHECK(network.run((*stream)->read())->expose() == "two");
    CHECK(network.run((*stream)->read())->empty());
}

TEST_CASE_FIXTURE(Fixture, "http client: a stream that breaks off, and an unasked encoding") {
    network.connections = {
        {.replies = {{.pieces = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                 "3\r\none\r\n"},
                      .then = Reply::Then::closes}}},
        {.replies = {answers("200 OK", gzip("x"), "Content-Encoding: gzip\r\n")}}};
    const auto stream = network.run(client.open({}, 10s));
    REQUIRE(stream.has_value());
    CHECK(network.run((*stream)->read())->expose() == "one");
    CHECK(network.run((*stream)->read()).error().message == "the response was cut short");

    const auto unasked = send();
    REQUIRE(unasked.has_error());
    CHECK(unasked.error().kind == ErrorClass::unavailable);
    CHECK(unasked.error().message == "the response has a Content-Encoding that was not requested");
}
