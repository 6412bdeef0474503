// Who gets a slot of the budget, and when, on virtual time.
#include "rt/task_group.hpp"
#include "support/sim_runtime.hpp"
#include "work/gate.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace oco;
using namespace std::chrono_literals;
using work::Priority;

namespace {

struct Fixture {
    test::SimRuntime runtime;
    work::Gate gate{runtime, 2};
    rt::TaskGroup tasks{runtime};
    std::vector<std::string> sent;

    Fixture() { tasks.spawn(gate.run()); }

    ~Fixture() {
        tasks.cancel();
        runtime.run_for(1s);
    }

    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    // Comes back when woken; its request is answered at once.
    void want(const std::string& key, Priority priority) {
        const auto slot = gate.enter(key, priority, [this, key, priority] { want(key, priority); });
        if (!slot)
            return;
        sent.push_back(key);
        gate.answered(*slot);
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "the budget is spent at once, then as the window moves on") {
    for (const auto* key : {"a", "b", "c", "d", "e"})
        want(key, Priority::settings);
    CHECK(sent.size() == 2);
    runtime.run_for(60s);
    CHECK(sent.size() == 2);
    runtime.run_for(1s);
    CHECK(sent.size() == 4);
    runtime.run_for(61s);
    CHECK(sent == std::vector<std::string>{"a", "b", "c", "d", "e"});
}

TEST_CASE_FIXTURE(Fixture, "a credential goes before settings that came earlier") {
    for (const auto* key : {"a", "b", "c", "d"})
        want(key, Priority::settings);
    want("urgent", Priority::credential);
    runtime.run_for(61s);
    CHECK(sent == std::vector<std::string>{"a", "b", "urgent", "c"});
}

TEST_CASE_FIXTURE(Fixture, "who left the queue gets nothing, and asking twice counts once") {
    for (const auto* key : {"a", "b", "c", "c", "d"})
        want(key, Priority::settings);
    gate.leave("c");
    runtime.run_for(61s);
    CHECK(sent == std::vector<std::string>{"a", "b", "d"});
}

TEST_CASE_FIXTURE(Fixture, "a 429 pauses as asked; a slot that sent nothing is free at once") {
    const auto slot = gate.enter("a", Priority::credential, [] {});
    REQUIRE(slot);
    gate.answered(*slot);
    gate.rate_limited(std::chrono::seconds(7));
    want("b", Priority::credential);
    runtime.run_for(6s);
    CHECK(sent.empty());
    runtime.run_for(2s);
    CHECK(sent == std::vector<std::string>{"b"});
    gate.accepted();
    CHECK(gate.remaining() == 0);

    work::Gate other(runtime, 1);
    const auto unsent = other.enter("x", Priority::credential, [] {});
    REQUIRE(unsent);
    CHECK(other.remaining() == 0);
    other.unused(*unsent);
    CHECK(other.remaining() == 1);
}
