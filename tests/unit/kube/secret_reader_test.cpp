// Of one Secret there is one read at a time, and whoever comes meanwhile shares the next.
#include "kube/secret_reader.hpp"
#include "support/scripted_network.hpp"
#include "unit/kube/plain_client.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::kube;
using namespace oco::test;
using namespace std::chrono_literals;

namespace {

struct ReaderFixture {
    ScriptedNetwork network;
    std::unique_ptr<kube::Client> client = plain_client(network);
    rt::TaskGroup tasks{network};
    SecretReader reader{network, *client, tasks};
    std::vector<std::string> got; // "name=value" of each read that has ended, or its error

    ReaderFixture() = default;
    ReaderFixture(const ReaderFixture&) = delete;
    ReaderFixture& operator=(const ReaderFixture&) = delete;

    ~ReaderFixture() {
        tasks.cancel();
        network.pass(1s);
    }

    // "a" and "b" of one Secret.
    static Reply secret(const std::string& version, rt::Duration after = 1s) {
        return {.pieces = {http_answer(
                    "200 OK", R"({"kind":"Secret","metadata":{"name":"db","resourceVersion":")" +
                                  version + R"("},"data":{"a":"YWxmYQ==","b":"YnJhdm8="}})")},
                .after = after};
    }

    void script(std::deque<Reply> replies) {
        network.connections = {{.replies = std::move(replies)}};
    }

    void reads(const std::string& wanted, const std::string& not_older_than = "") {
        constexpr auto one = [](ReaderFixture& self, std::string name,
                                std::string version) -> asio::awaitable<void> {
            auto read = co_await self.reader.read({.ns = "x", .name = "db"}, {name}, version);
            if (!read) {
                self.got.push_back(read.error().message);
                co_return;
            }
            self.got.push_back(read->meta.resource_version + ": " + name + "=" +
                               std::string(read->values.at(name)->expose()));
        };
        tasks.spawn(one(*this, wanted, not_older_than));
        network.pass(1ms);
    }

    [[nodiscard]] std::vector<std::string> asked() const {
        std::vector<std::string> out;
        out.reserve(network.requests.size());
        for (const auto& request : network.requests)
            out.push_back(request.substr(0, request.find(" HTTP/")));
        return out;
    }
};

const std::string path = "GET /api/v1/namespaces/x/secrets/db";
using Lines = std::vector<std::string>;

} // namespace

TEST_CASE_FIXTURE(ReaderFixture, "secret reader: who comes during a read shares the next") {
    script({secret("7"), secret("8")});
    reads("a");
    for (int i = 0; i < 5; ++i)
        reads(i % 2 == 0 ? "b" : "a");
    network.pass(10s);
    CHECK(asked() == Lines{path, path});
    CHECK(got ==
          Lines{"7: a=alfa", "8: b=bravo", "8: a=alfa", "8: b=bravo", "8: a=alfa", "8: b=bravo"});
}

TEST_CASE_FIXTURE(ReaderFixture, "secret reader: who comes later gets a read that began later") {
    script({secret("7"), secret("8")});
    reads("a");
    network.pass(5s);
    reads("a");
    network.pass(5s);
    CHECK(got == Lines{"7: a=alfa", "8: a=alfa"});
}

TEST_CASE_FIXTURE(ReaderFixture, "secret reader: a shared read is new enough for all") {
    script({secret("7"), secret("8"), secret("9")});
    reads("a", "5");
    reads("a", "6");
    reads("b", "6");
    network.pass(1500ms); // the second is under way
    reads("a", "7");
    reads("b");
    network.pass(10s);
    CHECK(asked() == Lines{path + "?resourceVersion=5", path + "?resourceVersion=6", path});
}

TEST_CASE_FIXTURE(ReaderFixture, "secret reader: a failure is everybody's, and not kept") {
    const Reply missing = answers("404 Not Found", R"({"kind":"Status","message":"not there"})");
    script({secret("7"), missing, secret("8")});
    reads("a");
    reads("a");
    reads("b");
    network.pass(10s);
    reads("b");
    network.pass(10s);
    CHECK(got == Lines{"7: a=alfa", "not there", "not there", "8: b=bravo"});
}
