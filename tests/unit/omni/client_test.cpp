#include "omni/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <vector>

using namespace oco;
using namespace oco::omni;
using namespace std::chrono_literals;

namespace {

// Never, except for cancellation.
asio::awaitable<void> forever(asio::any_io_executor executor) {
    asio::steady_timer timer(executor, asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

// What the far side does, and what it saw.
struct Peer {
    enum class Mode { answers, refuses_connections, closes, stays_silent };
    Mode mode = Mode::answers;
    std::string answer;
    std::string received;
};

class PeerStream final : public rt::Stream {
  public:
    PeerStream(Peer& peer, asio::any_io_executor executor)
        : peer_(peer), executor_(std::move(executor)) {}

    asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
        if (peer_.mode == Peer::Mode::stays_silent)
            co_await forever(executor_);
        if (peer_.mode == Peer::Mode::closes)
            co_return std::size_t{0};
        // In small pieces, as networks may.
        const auto size = std::min({into.size(), peer_.answer.size() - read_, std::size_t{7}});
        std::copy_n(peer_.answer.data() + read_, size, into.data());
        read_ += size;
        co_return size;
    }

    asio::awaitable<Result<void>> write(std::string_view bytes) override {
        peer_.received.append(bytes);
        co_return Result<void>();
    }

    bool idle_and_open() override { return false; }

    void close() noexcept override {}

  private:
    Peer& peer_;
    asio::any_io_executor executor_;
    std::size_t read_ = 0;
};

// Time moves only when all there is to do is wait for it.
class PeerRuntime final : public rt::Runtime {
  public:
    explicit PeerRuntime(Peer& peer) : peer_(peer) {}

    asio::any_io_executor executor() override { return context.get_executor(); }

    [[nodiscard]] rt::TimePoint now() const override { return now_; }

    [[nodiscard]] WallTime wall_now() const override { return WallTime(1'700'000'000s); }

    void random_bytes(std::span<unsigned char> out) override { std::ranges::fill(out, 0); }

    asio::awaitable<void> sleep_until(rt::TimePoint when) override {
        if (peer_.mode != Peer::Mode::stays_silent)
            co_await forever(executor());
        co_await asio::post(executor(), asio::use_awaitable);
        now_ = when;
    }

    asio::awaitable<Result<std::unique_ptr<rt::Stream>>> connect(rt::Endpoint) override {
        if (peer_.mode == Peer::Mode::refuses_connections)
            co_return make_error(ErrorClass::unavailable, "connection refused");
        co_return std::make_unique<PeerStream>(peer_, executor());
    }

    asio::io_context context{1};

  private:
    Peer& peer_;
    rt::TimePoint now_{};
};

struct Observed {
    std::string method;
    int code;
    rt::Duration took;
};

struct Fixture {
    Peer peer;
    PeerRuntime runtime{peer};
    http::Client http{runtime, {.host = "acme.omniapp.co", .port = 443}, {}};
    std::vector<Observed> observed;
    omni::Client client{runtime, http, SecretBytes("omni_osk_0123456789"),
                        [this](std::string_view method, int code, rt::Duration took) {
                            observed.push_back({std::string(method), code, took});
                        }};

    void answers(const std::string& status, const std::string& body) {
        peer.answer = "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n" +
                      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }

    template<class T>
    Result<T> run(asio::awaitable<Result<T>> call) {
        std::optional<Result<T>> result;
        std::exception_ptr failure;
        asio::co_spawn(
            runtime.context,
            [](asio::awaitable<Result<T>> inner,
               std::optional<Result<T>>& out) -> asio::awaitable<void> {
                out.emplace(co_await std::move(inner));
            }(std::move(call), result),
            [&failure](std::exception_ptr e) { failure = std::move(e); });
        runtime.context.restart();
        runtime.context.run();
        if (failure)
            std::rethrow_exception(failure);
        REQUIRE(result);
        return std::move(*result);
    }

    Result<void> rotate(std::string_view password = "correct-horse") {
        Update update;
        update.password = SecretBytes(password);
        return run(client.update_connection("c1", std::move(update)));
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "client: one PATCH, with the token, and its success") {
    answers("200 OK", R"({"success":true,"message":"Updated connection credentials."})");
    CHECK(rotate().has_value());
    CHECK(peer.received == "PATCH /api/v1/connections/c1 HTTP/1.1\r\n"
                           "Host: acme.omniapp.co:443\r\n"
                           "User-Agent: omni-connection-operator\r\n"
                           "Accept: application/json\r\n"
                           "Content-Type: application/json\r\n"
                           "Authorization: Bearer omni_osk_0123456789\r\n"
                           "Content-Length: 39\r\n\r\n"
                           R"({"passwordUnencrypted":"correct-horse"})");
    REQUIRE(observed.size() == 1);
    CHECK(observed[0].method == "PATCH");
    CHECK(observed[0].code == 200);
}

TEST_CASE_FIXTURE(Fixture, "client: an update without a field is not sent") {
    const auto result = run(client.update_connection("c1", Update()));
    REQUIRE(result.has_error());
    CHECK(result.error().kind == ErrorClass::invalid);
    CHECK(result.error().sent == Sent::no);
    CHECK(peer.received.empty());
    CHECK(observed.empty());
}

TEST_CASE_FIXTURE(Fixture, "client: what is known of the outcome of a PATCH") {
    SUBCASE("refused: it was not carried out; neither password nor token is quoted") {
        answers("400 Bad Request", R"({"error":"400","message":"bad: correct-horse"})");
        auto result = rotate();
        REQUIRE(result.has_error());
        CHECK(result.error().kind == ErrorClass::refused);
        CHECK(result.error().sent == Sent::no);
        CHECK(result.error().http_status == 400);
        CHECK(result.error().message.find("horse") == std::string::npos);
        answers("403 Forbidden", R"({"message":"Invalid bearer token omni_osk_0123456789"})");
        result = rotate();
        REQUIRE(result.has_error());
        CHECK(result.error().kind == ErrorClass::forbidden);
        CHECK(result.error().message.find("osk") == std::string::npos);
        CHECK(observed.size() == 2);
    }
    SUBCASE("a server error: unknown") {
        answers("502 Bad Gateway", "");
        const auto result = rotate();
        REQUIRE(result.has_error());
        CHECK(result.error().sent == Sent::maybe);
        CHECK(result.error().http_status == 502);
        CHECK(observed.at(0).code == 502);
    }
    SUBCASE("no connection: certainly not") {
        peer.mode = Peer::Mode::refuses_connections;
        const auto result = rotate();
        REQUIRE(result.has_error());
        CHECK(result.error().sent == Sent::no);
        CHECK(result.error().http_status == 0);
        CHECK(observed.at(0).code == 0);
    }
    SUBCASE("closed unanswered: unknown") {
        peer.mode = Peer::Mode::closes;
        const auto result = rotate();
        REQUIRE(result.has_error());
        CHECK(result.error().sent == Sent::maybe);
        CHECK(result.error().http_status == 0);
    }
    SUBCASE("cut within the answer: unknown") {
        answers("200 OK", R"({"success":true})");
        peer.answer.resize(peer.answer.size() - 3);
        const auto result = rotate();
        REQUIRE(result.has_error());
        CHECK(result.error().sent == Sent::maybe);
        CHECK(observed.at(0).code == 0);
    }
    SUBCASE("silence: the deadline, and unknown") {
        peer.mode = Peer::Mode::stays_silent;
        const auto result = rotate();
        REQUIRE(result.has_error());
        CHECK(result.error().kind == ErrorClass::unavailable);
        CHECK(result.error().sent == Sent::maybe);
        CHECK(observed.at(0).took == request_deadline);
    }
}

TEST_CASE_FIXTURE(Fixture, "client: reads") {
    answers("200 OK", R"({"connections":[{"id":"c1","name":"n"},{"id":"c2"}]})");
    omni::ListMemory::Share memory{omni::ListMemory()};
    const auto list = run(client.list_connections(memory));
    REQUIRE(list.has_value());
    CHECK(list->size() == 2);
    answers("200 OK", R"({"connection":{"id":"c1","dialect":"postgres"}})");
    const auto connection = run(client.get_connection("c1"));
    REQUIRE(connection.has_value());
    CHECK(connection->dialect == "postgres");
    answers("404 Not Found", R"({"error":"404","message":"no such connection"})");
    const auto missing = run(client.get_connection("c1"));
    REQUIRE(missing.has_error());
    CHECK(missing.error().kind == ErrorClass::not_found);
    answers("200 OK", R"({"keyScope":"organization"})");
    CHECK(run(client.whoami()).has_value());
    answers("401 Unauthorized", "");
    const auto nobody = run(client.whoami());
    REQUIRE(nobody.has_error());
    CHECK(nobody.error().kind == ErrorClass::unauthorized);
    CHECK(peer.received.find("GET /api/v1/whoami HTTP/1.1\r\n") != std::string::npos);
    CHECK(observed.size() == 5);
    CHECK(observed.at(2).code == 404);
}

TEST_CASE_FIXTURE(Fixture, "client: a dialect that repeats the token is withheld") {
    answers("200 OK", R"({"connections":[{"id":"c1","dialect":"is_osk_01234_it"},)"
                      R"({"id":"c2","dialect":"snowflake"}]})");
    omni::ListMemory::Share memory{omni::ListMemory()};
    const auto list = run(client.list_connections(memory));
    REQUIRE(list.has_value());
    CHECK(list->at(0).dialect == omni::withheld_dialect);
    CHECK(list->at(1).dialect == "snowflake");
    answers("200 OK", R"({"connection":{"id":"c1","dialect":"omni_osk_0123456789"}})");
    CHECK(run(client.get_connection("c1"))->dialect == omni::withheld_dialect);
}
