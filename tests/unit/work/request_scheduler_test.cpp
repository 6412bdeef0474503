// Who gets a slot of the budget, and when, on virtual time.
#include "rt/task_group.hpp"
#include "support/sim_runtime.hpp"
#include "work/request_scheduler.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace oco;
using namespace std::chrono_literals;
using work::RequestClass;
using work::RequestResult;

namespace {

// Keys that come back when they are woken.
struct SchedulerFixture {
    explicit SchedulerFixture(int limit)
        : scheduler(runtime, limit, [this] { ++breaker_changes; }) {
        tasks.spawn(scheduler.run());
    }

    SchedulerFixture(const SchedulerFixture&) = delete;
    SchedulerFixture& operator=(const SchedulerFixture&) = delete;

    ~SchedulerFixture() {
        tasks.cancel();
        runtime.run_for(1s);
    }

    // "a" of group "a", or "group/key".
    void want(const std::string& key, RequestClass request_class = RequestClass::rotation) {
        const auto grant = scheduler.acquire(
            {.key = key, .flow = key.substr(0, key.find('/')), .request_class = request_class},
            [this, key, request_class] { want(key, request_class); });
        if (!grant)
            return;
        sent.push_back(key);
        const auto result = answer(key);
        scheduler.finish(*grant, result);
        if (result != RequestResult::answered && again_after > 0s)
            runtime.after(again_after, [this, key, request_class] { want(key, request_class); });
    }

    void want_all(const std::vector<std::string>& keys,
                  RequestClass request_class = RequestClass::rotation) {
        for (const auto& key : keys)
            want(key, request_class);
    }

    using Keys = std::vector<std::string>;

    Keys take_sent() { return std::exchange(sent, {}); }

    test::SimRuntime runtime;
    int breaker_changes = 0;
    work::RequestScheduler scheduler;
    rt::TaskGroup tasks{runtime};
    Keys sent;
    rt::Duration again_after{}; // who failed comes back then; 0: never
    std::function<RequestResult(const std::string&)> answer = [](const std::string&) {
        return RequestResult::answered;
    };
};

struct SchedulerOfTwo : SchedulerFixture {
    SchedulerOfTwo() : SchedulerFixture(2) {}
};

struct SchedulerOfSixty : SchedulerFixture {
    SchedulerOfSixty() : SchedulerFixture(60) {}
};

} // namespace

TEST_CASE_FIXTURE(SchedulerOfTwo, "the budget is spent at once, then as the window moves on") {
    want_all({"a", "b", "c", "d", "e"});
    CHECK(sent.size() == 2);
    runtime.run_for(60s);
    CHECK(sent.size() == 2);
    runtime.run_for(1s);
    CHECK(sent.size() == 4);
    runtime.run_for(61s);
    CHECK(sent == Keys{"a", "b", "c", "d", "e"});
}

TEST_CASE_FIXTURE(SchedulerOfTwo, "a credential goes before settings that came earlier") {
    want_all({"a", "b"});
    want_all({"c", "d"}, RequestClass::settings);
    want("urgent");
    runtime.run_for(61s);
    CHECK(sent == Keys{"a", "b", "urgent"}); // and a slot is left to rotations
    runtime.run_for(61s);
    CHECK(sent.back() == "c");
}

TEST_CASE_FIXTURE(SchedulerOfTwo, "who left the line gets nothing, and asking twice counts once") {
    want_all({"a", "b", "c", "c", "d"});
    scheduler.cancel("c");
    runtime.run_for(61s);
    CHECK(sent == Keys{"a", "b", "d"});
}

TEST_CASE_FIXTURE(SchedulerOfTwo, "a slot that was not used is free at once") {
    const auto first = scheduler.acquire(
        {.key = "x", .flow = "x", .request_class = RequestClass::rotation}, [] {});
    REQUIRE(first);
    want("a");
    CHECK(scheduler.remaining() == 0);
    want("b");
    CHECK(sent == Keys{"a"});
    scheduler.give_back(*first);
    runtime.run_for(1ms);
    CHECK(sent == Keys{"a", "b"});
}

TEST_CASE_FIXTURE(SchedulerOfTwo, "who is woken and does not come loses the slot to the next") {
    want_all({"a", "b"});
    int woken = 0;
    for (const std::string key : {"gone", "lost"})
        CHECK_FALSE(
            scheduler.acquire({.key = key, .flow = "team", .request_class = RequestClass::rotation},
                              [&] { ++woken; }));
    want("team");
    runtime.run_for(61s);
    CHECK(woken == 2);
    CHECK(sent.size() == 2); // both slots are set aside
    runtime.run_for(30s);
    CHECK(take_sent().back() == "team");
}

TEST_CASE_FIXTURE(SchedulerOfSixty,
                  "a rotation never waits behind settings, however many there are") {
    for (int i = 0; i < 1000; ++i)
        want("team/" + std::to_string(i), RequestClass::settings);
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

TEST_CASE_FIXTURE(SchedulerOfSixty, "namespaces take turns, and the longest wait ends all others") {
    for (int i = 0; i < 60; ++i)
        want("before/" + std::to_string(i));
    take_sent();
    want("patient/role", RequestClass::settings);
    for (int i = 0; i < 300; ++i)
        want("many/" + std::to_string(i));
    want("few/1");
    want("few/2");
    runtime.run_for(61s);
    const auto waiter = [&](const std::string& key) {
        return std::find(sent.begin(), sent.end(), key) - sent.begin();
    };
    CHECK(sent.size() == 60);
    CHECK(waiter("few/1") <= 1);
    CHECK(waiter("few/2") <= 3);
    CHECK(waiter("patient/role") <= 10);
    CHECK(waiter("many/50") < 60);
    CHECK(waiter("many/51") < waiter("many/52"));
}

TEST_CASE_FIXTURE(SchedulerOfSixty, "the estimate is about when the turn comes") {
    for (int i = 0; i < 300; ++i)
        want("many/" + std::to_string(i));
    const auto early = scheduler.estimate("many/60") - runtime.now();
    const auto in_doubt = scheduler.estimate("many/299") - runtime.now();
    CHECK(early > 59s);
    CHECK(early < 62s);
    CHECK(in_doubt > 235s);
    CHECK(in_doubt < 250s);
    runtime.run_for(in_doubt + 1s);
    CHECK(sent.size() == 300);
}

TEST_CASE_FIXTURE(SchedulerOfSixty, "a 429 pauses as asked, and takes back what was set aside") {
    answer = [](const std::string&) {
        return RequestResult::rate_limited;
    };
    const auto grant = scheduler.acquire(
        {.key = "x", .flow = "x", .request_class = RequestClass::rotation}, [] {});
    REQUIRE(grant);
    scheduler.finish(*grant, RequestResult::rate_limited, 7s);
    answer = [](const std::string&) {
        return RequestResult::answered;
    };
    want_all({"b", "c"});
    runtime.run_for(6s);
    CHECK(sent.empty());
    CHECK(scheduler.paused_until() > runtime.now());
    CHECK(scheduler.estimate("b") >= scheduler.paused_until());
    runtime.run_for(4s);
    CHECK(sent == Keys{"b", "c"});
}

TEST_CASE_FIXTURE(SchedulerOfSixty, "one that always fails holds up no other") {
    answer = [](const std::string& key) {
        return key == "bad" ? RequestResult::failed : RequestResult::answered;
    };
    want_all({"bad", "bad", "bad", "bad", "a", "b", "bad", "c"});
    CHECK_FALSE(scheduler.breaker_open());
    CHECK(sent.size() == 8);
}

TEST_CASE_FIXTURE(SchedulerOfSixty, "after three failed one at a time tries, until one succeeds") {
    bool down = true;
    answer = [&](const std::string&) {
        return down ? RequestResult::failed : RequestResult::answered;
    };
    again_after = 5min;
    for (int i = 0; i < 40; ++i)
        want("team/" + std::to_string(i));
    CHECK(scheduler.breaker_open());
    CHECK(breaker_changes == 1);
    CHECK(sent.size() == 3);
    // Reads are not held back: they have their own patience.
    want("instance", RequestClass::lookup);
    CHECK(take_sent().size() == 4);
    runtime.run_for(10min);
    CHECK(sent.size() >= 20);
    CHECK(sent.size() <= 60); // 3 to 30 s apart, after quicker ones
    CHECK(Keys(sent.begin(), sent.begin() + 3) == Keys{"team/3", "team/4", "team/5"});
    down = false;
    take_sent();
    runtime.run_for(31s);
    CHECK_FALSE(scheduler.breaker_open());
    CHECK(breaker_changes == 2);
    CHECK(sent.size() >= 15); // all that wait: the others have failed lately
}

TEST_CASE_FIXTURE(SchedulerOfSixty,
                  "twenty that fail by themselves do not delay another's rotation") {
    answer = [](const std::string& key) {
        return key.starts_with("bad") ? RequestResult::failed : RequestResult::answered;
    };
    again_after = 30s;
    for (int i = 0; i < 20; ++i)
        want("bad/" + std::to_string(i));
    runtime.run_for(5min);
    CHECK(scheduler.breaker_open());
    take_sent();
    // Nobody else was there to show that Omni works: this one does, at once.
    want("good");
    CHECK(take_sent() == Keys{"good"});
    CHECK_FALSE(scheduler.breaker_open());
    // From now on it is known who fails.
    for (int i = 0; i < 10; ++i) {
        runtime.run_for(1min);
        CHECK_FALSE(scheduler.breaker_open());
        take_sent();
        want("good");
        CHECK(take_sent() == Keys{"good"});
    }
}

TEST_CASE_FIXTURE(SchedulerOfSixty, "a breaker that holds nobody back any more closes") {
    answer = [](const std::string&) {
        return RequestResult::failed;
    };
    again_after = 0s;
    want_all({"a", "b", "c"});
    REQUIRE(scheduler.breaker_open());
    want("a");
    CHECK_MESSAGE(scheduler.breaker_open(), "one waits for its probe");
    scheduler.cancel("a");
    const int changes = breaker_changes;
    runtime.run_for(10s);
    CHECK_FALSE(scheduler.breaker_open());
    CHECK_EQ(breaker_changes, changes + 1);
    take_sent();
    want("d");
    CHECK_EQ(take_sent(), Keys{"d"});
    CHECK_MESSAGE(scheduler.breaker_open(), "that it failed, too, is one more in a row");
}

TEST_CASE_FIXTURE(SchedulerOfTwo, "what fails by itself leaves a slot to a rotation") {
    answer = [](const std::string& key) {
        return key == "bad" ? RequestResult::failed : RequestResult::answered;
    };
    for (const char* key : {"bad", "good", "bad"}) {
        want(key);
        runtime.run_for(1min);
    }
    runtime.run_for(1min);
    take_sent();
    want_all({"bad", "bad", "bad", "good"});
    CHECK(take_sent() == Keys{"bad", "good"});
}

TEST_CASE_FIXTURE(SchedulerOfTwo,
                  "a request that was cut keeps its slot for a while, and is no failure") {
    for (const std::string key : {"a", "b"}) {
        const auto grant = scheduler.acquire(
            {.key = key, .flow = key, .request_class = RequestClass::rotation}, [] {});
        REQUIRE(grant);
        scheduler.finish(*grant, RequestResult::abandoned);
    }
    want_all({"c", "d", "e"});
    runtime.run_for(89s);
    CHECK(sent.empty());
    runtime.run_for(2s);
    CHECK(sent == Keys{"c", "d"});
    CHECK(breaker_changes == 0);
}

TEST_CASE_FIXTURE(SchedulerOfSixty, "nobody waits, and nothing is remembered: then it can go") {
    CHECK(scheduler.idle());
    want("a");
    CHECK_FALSE(scheduler.idle());
    runtime.run_for(61s);
    CHECK(scheduler.idle());
    scheduler.close();
    runtime.run_for(1ms);
    CHECK(tasks.size() == 0);
}

TEST_CASE_FIXTURE(SchedulerOfTwo, "what was spent counts for the scheduler that takes its place") {
    want("a");
    work::RequestScheduler next(runtime, 2, [] {});
    next.resume(scheduler.spent());
    CHECK(next.remaining() == 1);
    runtime.run_for(work::RateBudget::window);
    CHECK(next.remaining() == 2);
}
