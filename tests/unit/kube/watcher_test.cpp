// What a Watcher asks for, over scripted connections. tests/conformance has the rest, against a
// model and a real API server.
#include "kube/watcher.hpp"
#include "rt/deadline.hpp"
#include "support/scripted_network.hpp"
#include "unit/kube/plain_client.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::kube;
using namespace oco::test;

namespace {

// Takes nothing but the names.
struct Names final : WatchSink {
    std::vector<std::string> listed_names;

    void list_begins() override { listed_names.clear(); }

    void listed(const json::Value& object) override {
        listed_names.push_back(decode_meta(object).key.name);
    }

    void list_ends() override {}

    void changed(const json::Value& /*object*/) override {}

    void deleted(const json::Value& /*object*/) override {}
};

std::string page(const std::string& name, const std::string& next) {
    return R"({"metadata":{"resourceVersion":"9","continue":")" + next +
           R"("},"items":[{"metadata":{"name":")" + name + R"("}}]})";
}

Connection answers_once(Reply reply) {
    return {.replies = {std::move(reply)}};
}

// The head says how much would come.
Reply too_large() {
    return {.pieces = {"HTTP/1.1 200 OK\r\nContent-Length: " +
                       std::to_string(max_answer_bytes + 1) + "\r\n\r\n"}};
}

asio::awaitable<Result<void>> run(Watcher& watcher) {
    co_await watcher.run();
    co_return Result<void>();
}

std::vector<std::string> limits(const std::vector<std::string>& requests) {
    std::vector<std::string> out;
    for (const auto& request : requests)
        if (const auto at = request.find("?limit="); at != std::string::npos)
            out.push_back(request.substr(at + 7, request.find(' ', at) - at - 7));
    return out;
}

} // namespace

TEST_CASE("a page that is too large is asked for again with fewer objects") {
    ScriptedNetwork network;
    network.connections.push_back(answers_once(answers("400 Bad Request", "{}"))); // no stream
    network.connections.push_back({.replies = {answers("200 OK", page("a", "t")), too_large()}});
    network.connections.push_back(answers_once(too_large()));
    network.connections.push_back(
        {.replies = {answers("200 OK", page("b", "t2")), answers("200 OK", page("c", ""))}});
    network.connections.push_back( // the watch
        answers_once({.pieces = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}}));

    const auto client = plain_client(network);
    Names names;
    Watcher watcher(network, *client,
                    {.resource = resources::secrets, .ns = "a", .field_selector = ""}, names,
                    [] {});
    network.run(rt::with_deadline(network, std::chrono::seconds(1), run(watcher)));

    CHECK(watcher.synced());
    CHECK(names.listed_names == std::vector<std::string>{"a", "b", "c"});
    CHECK(limits(network.requests) == std::vector<std::string>{"16", "250&continue=t",
                                                               "62&continue=t", "15&continue=t",
                                                               "250&continue=t2"});
}
