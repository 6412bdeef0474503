// Who gets a slot of the budget, and when, on virtual time.
#include "rt/task_group.hpp"
#include "support/sim_runtime.hpp"
#include "work/gate.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace oco;
using namespace std::chrono_literals;
using work::Ending;
using work::Errand;

namespace {

// Keys that come back when they are woken.
struct GateFixture {
    explicit GateFixture(int limit) : gate(runtime, limit, [this] { ++breaker_changes; }) {
        tasks.spawn(gate.run());
    }

    GateFixture(const GateFixture&) = delete;
    GateFixture& operator=(const GateFixture&) = delete;

    ~GateFixture() {
        tasks.cancel();
        runtime.run_for(1s);
    }

    // "a" of group "a", or "group/key".
    void want(const std::string& key, Errand errand = Errand::rotation) {
        const auto grant =
            gate.enter({.key = key, .group = key.substr(0, key.find('/')), .errand = errand},
                       [this, key, errand] { want(key, errand); });
        if (!grant)
            return;
        sent.push_back(key);
        const auto ending = answer(key);
        gate.finish(*grant, ending);
        if (ending != Ending::given && again_after > 0s)
            runtime.after(again_after, [this, key, errand] { want(key, errand); });
    }

    void want_all(const std::vector<std::string>& keys, Errand errand = Errand::rotation) {
        for (const auto& key : keys)
            want(key, errand);
    }

    using Keys = std::vector<std::string>;

    Keys take_sent() { return std::exchange(sent, {}); }

    test::SimRuntime runtime;
    int breaker_changes = 0;
    work::Gate gate;
    rt::TaskGroup tasks{runtime};
    Keys sent;
    rt::Duration again_after{}; // who failed comes back then; 0: never
    std::function<Ending(const std::string&)> answer = [](const std::string&) {
        return Ending::given;
    };
};

struct GateOfTwo : GateFixture {
    GateOfTwo() : GateFixture(2) {}
};

struct GateOfSixty : GateFixture {
    GateOfSixty() : GateFixture(60) {}
};

} // namespace

TEST_CASE_FIXTURE(GateOfTwo, "the budget is spent at once, then as the window moves on") {
    want_all({"a", "b", "c", "d", "e"});
    CHECK(sent.size() == 2);
    runtime.run_for(60s);
    CHECK(sent.size() == 2);
    runtime.run_for(1s);
    CHECK(sent.size() == 4);
    runtime.run_for(61s);
    CHECK(sent == Keys{"a", "b", "c", "d", "e"});
}

TEST_CASE_FIXTURE(GateOfTwo, "a credential goes before settings that came earlier") {
    want_all({"a", "b"});
    want_all({"c", "d"}, Errand::settings);
    want("urgent");
    runtime.run_for(61s);
    CHECK(sent == Keys{"a", "b", "urgent"}); // and a slot is left to rotations
    runtime.run_for(61s);
    CHECK(sent.back() == "c");
}

TEST_CASE_FIXTURE(GateOfTwo, "who left the line gets nothing, and asking twice counts once") {
    want_all({"a", "b", "c", "c", "d"});
    gate.leave("c");
    runtime.run_for(61s);
    CHECK(sent == Keys{"a", "b", "d"});
}

TEST_CASE_FIXTURE(GateOfTwo, "a slot that was not used is free at once") {
    const auto first = gate.enter({.key = "x", .group = "x", .errand = Errand::rotation}, [] {});
    REQUIRE(first);
    want("a");
    CHECK(gate.remaining() == 0);
    want("b");
    CHECK(sent == Keys{"a"});
    gate.give_back(*first);
    runtime.run_for(1ms);
    CHECK(sent == Keys{"a", "b"});
}

TEST_CASE_FIXTURE(GateOfTwo, "who is woken and does not come loses the slot to the next") {
    want_all({"a", "b"});
    int woken = 0;
    for (const std::string key : {"gone", "lost"})
        CHECK_FALSE(gate.enter({.key = key, .group = "team", .errand = Errand::rotation},
                               [&] { ++woken; }));
    want("team");
    runtime.run_for(61s);
    CHECK(woken == 2);
    CHECK(sent.size() == 2); // both slots are set aside
    runtime.run_for(30s);
    CHECK(take_sent().back() == "team");
}

TEST_CASE_FIXTURE(GateOfSixty, "a rotation never waits behind settings, however many there are") {
    for (int i = 0; i < 1000; ++i)
        want("team/" + std::to_string(i), Errand::settings);
    runtime.run_for(10min);
    const auto before = take_sent().size();
    CHECK(before >= 534); // 54 in a minute and a quarter of a second
    CHECK(before <= 540);
    for (int i = 0; i < 20; ++i) {
        want("urgent/" + std::to_string(i));
        runtime.run_for(10s);
    }
    int urgent = 0;
    for (const auto& key : sent)
        urgent += key.starts_with("urgent") ? 1 : 0;
    CHECK(urgent == 20);
}

TEST_CASE_FIXTURE(GateOfSixty, "namespaces take turns, and the longest wait ends all others") {
    for (int i = 0; i < 60; ++i)
        want("before/" + std::to_string(i));
    take_sent();
    want("patient/role", Errand::settings);
    for (int i = 0; i < 300; ++i)
        want("many/" + std::to_string(i));
    want("few/1");
    want("few/2");
    runtime.run_for(61s);
    const auto place = [&](const std::string& key) {
        return std::find(sent.begin(), sent.end(), key) - sent.begin();
    };
    CHECK(sent.size() == 60);
    CHECK(place("few/1") <= 1);
    CHECK(place("few/2") <= 3);
    CHECK(place("patient/role") <= 10);
    CHECK(place("many/50") < 60);
    CHECK(place("many/51") < place("many/52"));
}

TEST_CASE_FIXTURE(GateOfSixty, "the estimate is about when the turn comes") {
    for (int i = 0; i < 300; ++i)
        want("many/" + std::to_string(i));
    const auto early = gate.estimate("many/60") - runtime.now();
    const auto late = gate.estimate("many/299") - runtime.now();
    CHECK(early > 59s);
    CHECK(early < 62s);
    CHECK(late > 235s);
    CHECK(late < 250s);
    runtime.run_for(late + 1s);
    CHECK(sent.size() == 300);
}

TEST_CASE_FIXTURE(GateOfSixty, "a 429 pauses as asked, and takes back what was set aside") {
    answer = [](const std::string&) {
        return Ending::rate_limited;
    };
    const auto grant = gate.enter({.key = "x", .group = "x", .errand = Errand::rotation}, [] {});
    REQUIRE(grant);
    gate.finish(*grant, Ending::rate_limited, 7s);
    answer = [](const std::string&) {
        return Ending::given;
    };
    want_all({"b", "c"});
    runtime.run_for(6s);
    CHECK(sent.empty());
    CHECK(gate.paused_until() > runtime.now());
    CHECK(gate.estimate("b") >= gate.paused_until());
    runtime.run_for(4s);
    CHECK(sent == Keys{"b", "c"});
}

TEST_CASE_FIXTURE(GateOfSixty, "one that always fails holds up no other") {
    answer = [](const std::string& key) {
        return key == "bad" ? Ending::failed : Ending::given;
    };
    want_all({"bad", "bad", "bad", "bad", "a", "b", "bad", "c"});
    CHECK_FALSE(gate.breaker_open());
    CHECK(sent.size() == 8);
}

TEST_CASE_FIXTURE(GateOfSixty, "after three failed one at a time tries, until one succeeds") {
    bool down = true;
    answer = [&](const std::string&) {
        return down ? Ending::failed : Ending::given;
    };
    again_after = 5min;
    for (int i = 0; i < 40; ++i)
        want("team/" + std::to_string(i));
    CHECK(gate.breaker_open());
    CHECK(breaker_changes == 1);
    CHECK(sent.size() == 3);
    // Reads are not held back: they have their own patience.
    want("instance", Errand::lookup);
    CHECK(take_sent().size() == 4);
    runtime.run_for(10min);
    CHECK(sent.size() >= 20);
    CHECK(sent.size() <= 60); // 3 to 30 s apart, after quicker ones
    CHECK(Keys(sent.begin(), sent.begin() + 3) == Keys{"team/3", "team/4", "team/5"});
    down = false;
    take_sent();
    runtime.run_for(31s);
    CHECK_FALSE(gate.breaker_open());
    CHECK(breaker_changes == 2);
    CHECK(sent.size() >= 15); // all that wait: the others have failed lately
}

TEST_CASE_FIXTURE(GateOfTwo,
                  "a request that was cut keeps its slot for a while, and is no failure") {
    for (const std::string key : {"a", "b"}) {
        const auto grant =
            gate.enter({.key = key, .group = key, .errand = Errand::rotation}, [] {});
        REQUIRE(grant);
        gate.finish(*grant, Ending::cut);
    }
    want_all({"c", "d", "e"});
    runtime.run_for(89s);
    CHECK(sent.empty());
    runtime.run_for(2s);
    CHECK(sent == Keys{"c", "d"});
    CHECK(breaker_changes == 0);
}

TEST_CASE_FIXTURE(GateOfSixty, "nobody waits, and nothing is remembered: then it can go") {
    CHECK(gate.idle());
    want("a");
    CHECK_FALSE(gate.idle());
    runtime.run_for(61s);
    CHECK(gate.idle());
    gate.close();
    runtime.run_for(1ms);
    CHECK(tasks.size() == 0);
}
