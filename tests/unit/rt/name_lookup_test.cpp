// SystemRuntime's way from a host to a connection: real sockets on loopback, and a name server that
// answers for some names and is silent about others.
#include "rt/deadline.hpp"
#include "rt/system_runtime.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace oco;
using namespace std::chrono_literals;
using asio::ip::tcp;
using asio::ip::udp;

namespace {

class NameServer {
  public:
    explicit NameServer(asio::io_context& context) : socket_(context), acceptor_(context) {
        while (!bind()) {
        }
        receive();
        asio::co_spawn(context, accept(*this), [](const std::exception_ptr&) {}); // until it closes
    }

    struct Host {
        std::vector<std::string> v4;
        enum class V6 { none, silent } v6 = V6::none;
        bool silent = false;  // to all questions
        bool failing = false; // SERVFAIL
        bool big = false;     // its answer needs TCP
    };

    std::map<std::string, Host> hosts; // others do not exist
    std::map<std::string, int> asked;  // for IPv4
    int asked_by_tcp = 0;

    [[nodiscard]] std::uint16_t port() const { return socket_.local_endpoint().port(); }

  private:
    static constexpr std::size_t header_size = 12;

    // UDP and TCP, at one port.
    bool bind() {
        acceptor_ = tcp::acceptor(acceptor_.get_executor(), {asio::ip::address_v4::loopback(), 0});
        socket_ = udp::socket(acceptor_.get_executor(), udp::v4());
        boost::system::error_code taken;
        socket_.bind({asio::ip::address_v4::loopback(), acceptor_.local_endpoint().port()}, taken);
        return !taken;
    }

    static asio::awaitable<void> accept(NameServer& server) {
        auto client = co_await server.acceptor_.async_accept(asio::use_awaitable);
        for (;;) { // questions and answers have their length in front
            unsigned char size[2];
            co_await asio::async_read(client, asio::buffer(size), asio::use_awaitable);
            std::string question(size[1], 0);
            co_await asio::async_read(client, asio::buffer(question), asio::use_awaitable);
            const std::string reply = server.reply_to(question);
            ++server.asked_by_tcp;
            const std::string message = std::string(1, 0) + static_cast<char>(reply.size()) + reply;
            co_await asio::async_write(client, asio::buffer(message), asio::use_awaitable);
        }
    }

    void receive() {
        socket_.async_receive_from(asio::buffer(buffer_), peer_,
                                   [this](boost::system::error_code failed, std::size_t size) {
                                       if (failed)
                                           return;
                                       auto reply = reply_to({buffer_.data(), size});
                                       if (needs_tcp_) {
                                           reply[2] |= 2; // truncated
                                           reply[7] = 0;
                                           reply.resize(size);
                                       }
                                       if (!reply.empty())
                                           socket_.send_to(asio::buffer(reply), peer_);
                                       receive();
                                   });
    }

    // Empty: none.
    std::string reply_to(std::string question) {
        std::string name;
        std::size_t at = header_size;
        for (; question[at] != 0; at += static_cast<unsigned char>(question[at]) + std::size_t{1})
            name += (name.empty() ? "" : ".") +
                    question.substr(at + 1, static_cast<unsigned char>(question[at]));
        const bool v6 = question[at + 2] == 28;
        if (!v6)
            ++asked[name];
        const auto host = hosts.find(name);
        const bool silent = host != hosts.end() &&
                            (host->second.silent || (v6 && host->second.v6 == Host::V6::silent));
        needs_tcp_ = host != hosts.end() && host->second.big;
        if (silent)
            return {};
        std::string reply = question.substr(0, at + 5);
        reply[2] = static_cast<char>(0x81); // an answer
        reply[3] = static_cast<char>(0x80);
        if (host == hosts.end())
            reply[3] = static_cast<char>(0x83); // NXDOMAIN
        else if (host->second.failing)
            reply[3] = static_cast<char>(0x82);
        reply[11] = 0; // no additional records
        if (host != hosts.end() && !v6)
            for (const auto& text : host->second.v4) {
                ++reply[7];
                reply += {"\xC0\x0C\0\1\0\1\0\0\0\x1E\0\4", 12}; // for 30 s
                for (const auto byte : asio::ip::make_address_v4(text).to_bytes())
                    reply += static_cast<char>(byte);
            }
        return reply;
    }

    udp::socket socket_;
    tcp::acceptor acceptor_;
    udp::endpoint peer_;
    bool needs_tcp_ = false; // the last reply
    std::array<char, 512> buffer_{};
};

class World {
  public:
    asio::io_context context;
    NameServer names{context};

    explicit World(const std::string& options = "") {
        resolv_conf_ =
            std::filesystem::temp_directory_path() / ("resolv.conf." + std::to_string(::getpid()));
        write_resolv_conf("nameserver 127.0.0.1\n" + options);
        runtime.emplace(context,
                        rt::DnsSettings{.resolv_conf = resolv_conf_, .port = names.port()});
    }

    World(const World&) = delete;
    World& operator=(const World&) = delete;

    ~World() { std::filesystem::remove(resolv_conf_); }

    void write_resolv_conf(const std::string& text) const { std::ofstream(resolv_conf_) << text; }

    std::optional<rt::SystemRuntime> runtime;
    tcp::acceptor server{context, {asio::ip::address_v4::loopback(), 0}};

    [[nodiscard]] rt::Endpoint at(const std::string& host) const {
        return {.host = host, .port = server.local_endpoint().port(), .tls = nullptr};
    }

    // Begins to connect; `outcome` says "connected" or what failed.
    void connect(const std::string& host, std::string& outcome, rt::Duration deadline = 5s) {
        ++running_;
        asio::co_spawn(context, attempt(*this, host, outcome, deadline),
                       [](const std::exception_ptr& failure) {
                           if (failure)
                               std::rethrow_exception(failure);
                       });
    }

    // Until all of them have ended.
    void run() {
        while (running_ != 0)
            context.run_one();
    }

    std::string connect(const std::string& host, rt::Duration deadline = 5s) {
        std::string outcome;
        connect(host, outcome, deadline);
        run();
        return outcome;
    }

  private:
    static asio::awaitable<void> attempt(World& world, std::string host, std::string& outcome,
                                         rt::Duration deadline) {
        auto stream = co_await rt::with_deadline(*world.runtime, deadline,
                                                 world.runtime->connect(world.at(host)));
        outcome = stream ? "connected" : stream.error().message;
        --world.running_;
    }

    std::filesystem::path resolv_conf_;
    int running_ = 0;
};

} // namespace

TEST_CASE("name look-up: a name that never resolves delays no other, and not its own deadline") {
    World world;
    world.names.hosts["healthy.test"] = {.v4 = {"127.0.0.1"}};
    std::vector<std::string> hanging(50);
    for (std::size_t i = 0; i < hanging.size(); ++i) {
        const std::string host = "silent" + std::to_string(i) + ".test";
        world.names.hosts[host].silent = true;
        world.connect(host, hanging[i], 1s);
    }
    const auto begun = world.runtime->now();
    std::string literal;
    std::string healthy;
    world.connect("127.0.0.1", literal);
    world.connect("healthy.test", healthy);
    while (literal.empty() || healthy.empty())
        world.context.run_one();
    CHECK(literal == "connected");
    CHECK(healthy == "connected");
    CHECK(hanging[0].empty()); // still under way
    world.run();
    CHECK(hanging[0] == "no response within 1.0 s");
    CHECK(world.runtime->now() - begun < 4s); // c-ares alone takes 7 s
}

TEST_CASE("name look-up: nothing goes on once nobody waits") {
    World world;
    world.names.hosts["silent.test"].silent = true;
    CHECK(world.connect("silent.test", 50ms) == "no response within 0.0 s");
    const auto begun = world.runtime->now();
    world.context.restart();
    world.context.run_for(10ms); // handlers of what was cancelled
    CHECK(world.context.run_one_for(100ms) == 0);
    CHECK(world.runtime->now() - begun < 1s);
}

TEST_CASE("name look-up: all who ask at once share a question, and its answer is kept") {
    World world;
    world.names.hosts["shared.test"] = {.v4 = {"127.0.0.1"}};
    std::vector<std::string> outcomes(10);
    for (auto& outcome : outcomes)
        world.connect("shared.test", outcome);
    world.run();
    CHECK(outcomes == std::vector<std::string>(10, "connected"));
    CHECK(world.connect("shared.test") == "connected");
    CHECK(world.names.asked["shared.test"] == 1);
}

TEST_CASE("name look-up: a failure names the host, and is not kept") {
    World world;
    CHECK(world.connect("absent.test") == "lookup of absent.test: Domain name not found");
    world.names.hosts["absent.test"] = {.v4 = {"127.0.0.1"}};
    CHECK(world.connect("absent.test") == "connected");
    world.write_resolv_conf("nameserver 127.0.0.2\n"); // nothing listens there
    CHECK(world.connect("other.test").starts_with("lookup of other.test: "));
}

TEST_CASE("name look-up: a server that is silent about IPv6 costs no time") {
    World world;
    world.names.hosts["old.test"] = {.v4 = {"127.0.0.1"}, .v6 = NameServer::Host::V6::silent};
    CHECK(world.connect("old.test") == "connected");
}

TEST_CASE("name look-up: an answer that is too big for UDP") {
    World world;
    world.names.hosts["big.test"] = {.v4 = {"127.0.0.1"}, .big = true};
    CHECK(world.connect("big.test") == "connected");
    CHECK(world.names.asked_by_tcp == 2); // for both families
}

TEST_CASE("name look-up: search domains, as in a pod") {
    World world("search team.svc.cluster.test svc.cluster.test\noptions ndots:5\n");
    world.names.hosts["omni.other.svc.cluster.test"] = {.v4 = {"127.0.0.1"}};
    CHECK(world.connect("omni.other") == "connected");
    CHECK(world.names.asked["omni.other.team.svc.cluster.test"] == 1);
    world.names.hosts["omni.example"] = {.v4 = {"127.0.0.1"}};
    CHECK(world.connect("omni.example") == "connected");
    // A search domain whose server fails is not the end.
    world.names.hosts["omni.test.team.svc.cluster.test"].failing = true;
    world.names.hosts["omni.test"] = {.v4 = {"127.0.0.1"}};
    CHECK(world.connect("omni.test") == "connected");
}

TEST_CASE("name look-up: a new resolv.conf counts at once, also for what is under way") {
    World world;
    world.names.hosts["first.test"] = {.v4 = {"127.0.0.1"}};
    world.names.hosts["second.test"] = {.v4 = {"127.0.0.1"}};
    world.write_resolv_conf("nameserver 127.0.0.1\nsearch silent.test\noptions ndots:9\n");
    world.names.hosts["first.test.silent.test"].silent = true;
    std::string first;
    world.connect("first.test", first);
    world.context.run_for(20ms);
    CHECK(first.empty());
    world.write_resolv_conf("nameserver 127.0.0.1\n");
    CHECK(world.connect("second.test") == "connected");
    world.run();
    CHECK(first == "connected");
}

TEST_CASE("connecting: an address that swallows what is sent to it does not hide the next") {
    World world;
    // A listener with a full backlog: the kernel drops each further SYN.
    const tcp::endpoint full({asio::ip::make_address_v4("127.0.0.2")},
                             world.server.local_endpoint().port());
    tcp::acceptor never(world.context);
    never.open(full.protocol());
    never.bind(full);
    never.listen(0);
    std::vector<tcp::socket> waiting;
    for (int i = 0; i < 3; ++i) {
        waiting.emplace_back(world.context).async_connect(full, [](boost::system::error_code) {});
        world.context.run_for(10ms);
    }
    world.names.hosts["two.test"] = {.v4 = {"127.0.0.2", "127.0.0.1"}};
    CHECK(world.connect("two.test") == "connected");
    CHECK(world.connect("127.0.0.2", 100ms) == "no response within 0.1 s"); // it does swallow
}

TEST_CASE("connecting: when all addresses refuse, the error comes at once and names the host") {
    World world;
    world.names.hosts["three.test"] = {.v4 = {"127.0.0.2", "127.0.0.3", "127.0.0.4"}};
    const auto begun = world.runtime->now();
    const auto port = std::to_string(world.server.local_endpoint().port());
    CHECK(world.connect("three.test") == "connect to three.test:" + port + ": Connection refused");
    CHECK(world.runtime->now() - begun < 240ms);        // less than one stagger
    world.names.hosts["three.test"].v4 = {"127.0.0.1"}; // it has moved, which counts at once
    CHECK(world.connect("three.test") == "connected");
}

TEST_CASE("connecting: a peer that vanishes is noticed within a minute") {
    World world;
    std::optional<Result<std::unique_ptr<rt::Stream>>> stream;
    asio::co_spawn(world.context, world.runtime->connect(world.at("127.0.0.1")),
                   [&](const std::exception_ptr&, Result<std::unique_ptr<rt::Stream>> made) {
                       stream.emplace(std::move(made));
                   });
    while (!stream)
        world.context.run_one();
    REQUIRE(stream->has_value());
    int seen = 0;
    for (int socket = 0; socket < 1024; ++socket) { // one of them is the stream's
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
            ntohs(peer.sin_port) != world.server.local_endpoint().port())
            continue;
        ++seen;
        const auto option = [socket](int level, int name) {
            int value = 0;
            socklen_t bytes = sizeof value;
            ::getsockopt(socket, level, name, &value, &bytes);
            return value;
        };
        CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
        CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) +
                  option(IPPROTO_TCP, TCP_KEEPINTVL) * option(IPPROTO_TCP, TCP_KEEPCNT) <=
              60);
        CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) > 0);
        CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) <= 60'000);
    }
    CHECK(seen == 1);
}
