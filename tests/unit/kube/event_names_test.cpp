// Names of Events, and what is said of one that cannot be written.
#include "base/log.hpp"
#include "kube/events.hpp"
#include "rt/task_group.hpp"
#include "support/scripted_network.hpp"
#include "unit/kube/plain_client.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::kube;
using namespace oco::test;
using namespace std::chrono_literals;

namespace {

struct AnsweringServer {
    ScriptedNetwork network;
    std::unique_ptr<Client> client = plain_client(network);
    EventRecorder events{network, *client, "controller", "instance"};
    rt::TaskGroup tasks{network};
    std::string lines;

    AnsweringServer() {
        log::configure({.level = log::Level::info,
                        .format = log::Format::json,
                        .clock = [] { return WallTime{}; },
                        .sink =
                            [this](std::string_view line) {
                                lines += line;
                            }});
        tasks.spawn(events.run());
    }

    ~AnsweringServer() {
        tasks.cancel();
        network.pass(1s);
        log::configure({});
    }

    AnsweringServer(const AnsweringServer&) = delete;
    AnsweringServer& operator=(const AnsweringServer&) = delete;

    // The body of the request.
    std::string recorded(const std::string& name, Reply reply) {
        network.connections.push_back({.replies = {std::move(reply)}});
        events.record({.regarding = {.api_version = "v1",
                                     .kind = "Thing",
                                     .meta = {.key = {.ns = "a", .name = name}, .uid = name}},
                       .reason = "Reason",
                       .action = "Act",
                       .note = "note"});
        network.pass(1min);
        return network.requests.back();
    }
};

} // namespace

TEST_CASE_FIXTURE(AnsweringServer, "an Event of an object with a long name has a valid name") {
    for (const char* end : {".", "-", ".-.", "a"}) {
        const std::string tail(end);
        const std::string name = std::string(200 - tail.size(), 'x') + tail + std::string(53, 'y');
        const std::string request = recorded(name, answers("201 Created", "{}"));
        const std::string cut(tail == "a" ? 199 : 200 - tail.size(), 'x');
        CHECK(request.find("\"name\":\"" + cut + (tail == "a" ? "a." : ".")) != std::string::npos);
    }
    CHECK(lines.empty());
}

TEST_CASE_FIXTURE(AnsweringServer,
                  "a namespace that is being terminated takes no Event: not a word") {
    recorded(
        "x",
        answers(
            "403 Forbidden",
            R"({"kind":"Status","message":"events.events.k8s.io \"x.1\" is forbidden: unable to create )"
            R"(new content in namespace a because it is being terminated"})"));
    CHECK(lines.empty());
    recorded("y", answers("403 Forbidden", R"({"message":"no right"})"));
    CHECK(lines.find("Event not written") != std::string::npos);
}
