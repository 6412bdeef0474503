// A standby's requests, one by one: what it reads, watches and writes until the Lease is its own.
#include "kube/lease.hpp"
#include "support/scripted_network.hpp"
#include "unit/kube/plain_client.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdio>

using namespace oco;
using namespace oco::kube;
using namespace oco::test;
using namespace std::chrono_literals;

namespace {

const std::string leases_path = "/apis/coordination.k8s.io/v1/namespaces/ops/leases";
const std::string lease_path = leases_path + "/leader";

std::string lease(const std::string& holder, const std::string& version) {
    return R"({"metadata":{"name":"leader","namespace":"ops","resourceVersion":")" + version +
           R"("},"spec":{"holderIdentity":")" + holder + R"(","leaseDurationSeconds":)" +
           (holder.empty() ? "1" : "15") + R"(,"leaseTransitions":1}})";
}

std::string event(const std::string& type, const std::string& object) {
    return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

std::string bookmark() {
    return event("BOOKMARK", R"({"metadata":{"resourceVersion":"9","annotations":)"
                             R"({"k8s.io/initial-events-end":"true"}}})");
}

// All events of a watch, as one answer that stays open; they begin to come after a time.
Reply watch_of(const std::vector<std::string>& events, rt::Duration after) {
    Reply reply{.pieces = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
                .after = after};
    for (const auto& text : events) {
        std::array<char, 16> size{};
        std::snprintf(size.data(), size.size(), "%zx", text.size());
        reply.pieces.push_back(std::string(size.data()) + "\r\n" + text + "\r\n");
    }
    return reply;
}

// What is asked for, without its parameters but for the watch: "GET x", "WATCH x", "PUT x".
std::string summary(const std::string& request) {
    const auto target = request.find(' ') + 1;
    const auto end = request.find(' ', target);
    const auto query = std::min(request.find('?', target), end);
    const std::string path = request.substr(target, query - target);
    const bool watches = request.substr(query, end - query).find("watch=1") != std::string::npos;
    const std::string name = path == lease_path ? "Lease" : path == leases_path ? "Leases" : path;
    return (watches ? "WATCH" : request.substr(0, target - 1)) + " " + name;
}

struct StandbyFixture {
    ScriptedNetwork network;
    std::unique_ptr<kube::Client> client = plain_client(network);

    static asio::awaitable<Result<Takeover>> acquire(LeaderElector& elector) {
        co_return co_await elector.acquire();
    }

    Takeover acquire() {
        LeaderElector elector(network, *client, {.ns = "ops", .name = "leader", .identity = "me"});
        const auto taken = network.run(acquire(elector));
        REQUIRE(taken.has_value());
        CHECK(elector.may_work_for(10s));
        return *taken;
    }

    [[nodiscard]] std::string requests() const {
        std::string out;
        for (const auto& request : network.requests)
            out += (out.empty() ? "" : ", ") + summary(request);
        return out;
    }
};

} // namespace

TEST_CASE_FIXTURE(StandbyFixture, "lease: what is free is taken, and never watched") {
    network.connections = {
        {.replies = {answers("200 OK", lease("", "5")), answers("200 OK", lease("me", "6"))}}};
    CHECK(acquire() == Takeover::clean);
    CHECK(requests() == "GET Lease, PUT Lease");
}

TEST_CASE_FIXTURE(StandbyFixture, "lease: a release that the watch tells of is taken at once") {
    const auto began = network.now();
    network.connections = {
        {.replies = {answers("200 OK", lease("other", "5")), answers("200 OK", lease("me", "8"))}},
        {.replies = {watch_of({event("ADDED", lease("other", "5")), bookmark(),
                               event("MODIFIED", lease("other", "6")),
                               event("MODIFIED", lease("", "7"))},
                              1s)}},
    };
    CHECK(acquire() == Takeover::clean);
    CHECK(requests() == "GET Lease, WATCH Leases, PUT Lease"); // not read again
    CHECK(network.requests[1].find("fieldSelector=metadata.name%3Dleader") != std::string::npos);
    // Written over that very release.
    CHECK(network.requests[2].find(R"("resourceVersion":"7")") != std::string::npos);
    CHECK(network.now() - began < 2s); // the retry period
}

TEST_CASE_FIXTURE(StandbyFixture, "lease: a release that is long over is refused, and waited out") {
    network.connections = {
        {.replies = {answers("200 OK", lease("other", "9")), answers("409 Conflict", "{}"),
                     answers("200 OK", lease("other", "10")), answers("200 OK", lease("", "11")),
                     answers("200 OK", lease("me", "12"))}},
        {.replies = {watch_of({event("ADDED", lease("", "7")), bookmark()}, 100ms)}},
    };
    CHECK(acquire() == Takeover::clean);
    CHECK(requests() == "GET Lease, WATCH Leases, PUT Lease, GET Lease, GET Lease, PUT Lease");
}

TEST_CASE_FIXTURE(StandbyFixture, "lease: a deletion that the watch tells of has it read at once") {
    const auto began = network.now();
    network.connections = {
        {.replies = {answers("200 OK", lease("", "5")), answers("409 Conflict", "{}"),
                     answers("200 OK", lease("", "7")), answers("200 OK", lease("me", "8"))}},
        {.replies = {watch_of({event("ADDED", lease("other", "6")), bookmark(),
                               event("DELETED", lease("other", "7"))},
                              1s)}},
    };
    CHECK(acquire() == Takeover::clean);
    CHECK(requests() == "GET Lease, PUT Lease, WATCH Leases, GET Lease, PUT Lease");
    CHECK(network.now() - began < 2s);
}

TEST_CASE_FIXTURE(StandbyFixture, "lease: without the right to watch it is read") {
    network.connections = {
        {.replies = {answers("200 OK", lease("other", "5")), answers("200 OK", lease("other", "6")),
                     answers("200 OK", lease("", "7")), answers("200 OK", lease("me", "8"))}},
        {.replies = {answers("403 Forbidden", R"({"message":"cannot watch"})",
                             "Retry-After: 3600\r\n")}},
    };
    CHECK(acquire() == Takeover::clean);
    CHECK(requests() == "GET Lease, WATCH Leases, GET Lease, GET Lease, PUT Lease");
}

TEST_CASE_FIXTURE(StandbyFixture, "lease: a watch that is silent does not keep a Lease alive") {
    const auto began = network.now();
    std::deque<Reply> reads{answers("200 OK", lease("other", "5"))};
    for (int i = 0; i < 20; ++i)
        reads.push_back(answers("200 OK", lease("other", "6")));
    network.connections = {
        {.replies = std::move(reads)},
        {.replies = {watch_of({event("ADDED", lease("other", "5")), bookmark(),
                               event("MODIFIED", lease("other", "6"))},
                              1s)}},
    };
    CHECK(acquire() == Takeover::unclean);
    const auto took = network.now() - began;
    CHECK(took >= 16s); // a term after the last change
    CHECK(took < 20s);
}
