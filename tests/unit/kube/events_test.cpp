// Events never hold up work, on virtual time; the API server never answers.
#include "base/log.hpp"
#include "kube/events.hpp"
#include "rt/task_group.hpp"
#include "support/sim_runtime.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::kube;
using namespace std::chrono_literals;

namespace {

int count(const std::string& text, std::string_view what) {
    int found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++found;
    return found;
}

struct EventsFixture {
    test::SimRuntime runtime;
    int requests = 0;
    std::unique_ptr<Client> client = *Client::make(
        runtime, ClientConfig{.server = {.host = "nowhere", .port = 1}},
        [](const std::string&) -> Result<SecretBytes> {
            return make_error(ErrorClass::not_found, "no file");
        },
        [this](std::string_view, int, rt::Duration) { ++requests; });
    EventRecorder events{runtime, *client, "controller", "instance"};
    rt::TaskGroup tasks{runtime};
    std::string lines;

    EventsFixture() {
        log::configure({.level = log::Level::debug,
                        .format = log::Format::json,
                        .clock = [] { return WallTime{}; },
                        .sink =
                            [this](std::string_view line) {
                                lines += line;
                            }});
        tasks.spawn(events.run());
    }

    ~EventsFixture() {
        tasks.cancel();
        runtime.run_for(1s);
        log::configure({});
    }

    EventsFixture(const EventsFixture&) = delete;
    EventsFixture& operator=(const EventsFixture&) = delete;

    void record(const std::string& uid, const std::string& note) {
        events.record({.regarding = {.api_version = "v1",
                                     .kind = "Thing",
                                     .meta = {.key = {.ns = "a", .name = uid}, .uid = uid}},
                       .reason = "Reason",
                       .action = "Act",
                       .note = note});
    }
};

} // namespace

TEST_CASE_FIXTURE(EventsFixture,
                  "an Event that cannot be written is tried twice, and then dropped") {
    record("u1", "one");
    record("u2", "two");
    runtime.run_for(5s);
    CHECK(requests == 4);
    CHECK(count(lines, "Event not written") == 2);
    runtime.run_for(1h);
    CHECK(requests == 4);
}

TEST_CASE_FIXTURE(EventsFixture,
                  "what an object causes beyond its share is told in one line a minute") {
    for (int i = 0; i < 100; ++i)
        record("u1", std::to_string(i));
    runtime.run_for(5min);
    CHECK(requests == 50);
    CHECK(count(lines, "Events suppressed") == 1);
    CHECK(count(lines, R"("count":75)") == 1);
    record("u1", "a little later one goes again");
    record("u1", "and another does not");
    runtime.run_for(5min);
    CHECK(requests == 52);
    CHECK(count(lines, "Events suppressed") == 2);
}
