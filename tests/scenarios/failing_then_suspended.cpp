// Omni fails with 5xx, then the object is suspended, then the operator is restarted: the object
// keeps its claim, which only a status can prove by then, and it goes on where it was.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Omni held the older object's value, and fails since the next is sent.
struct OlderFails : Rivals {
    OlderFails() {
        older.applies_instance();
        younger.applies_instance();
        both_apply();
        world.starts();
        REQUIRE(older_holds());
        omni.each_push(warehouse, refused_with(503));
        older.writes("db", "old-2");
        REQUIRE(older.sees("warehouse", "OmniUnavailable"));
        world.passes(5min); // what is feared to land late is over
        REQUIRE(failures() >= 4);
    }

    void suspends(bool suspended) const { older.changes("warehouse", {{"suspend", suspended}}); }

    void restarts() {
        world.stops();
        world.passes(5s);
        world.starts();
        world.passes(2min);
    }

    [[nodiscard]] std::int64_t failures() const {
        const auto* count = older.status("warehouse").if_contains("failures");
        return count == nullptr ? 0 : count->as_int64();
    }

    [[nodiscard]] bool young_was_sent() const {
        return omni.sent(warehouse).find("young") != std::string::npos;
    }

    void check_nothing_is_lost() {
        CHECK(older.reason("warehouse") == "Suspended");
        CHECK(older.ready("warehouse") == "False"); // something is pending
        CHECK(younger.reason("warehouse") == "ConnectionConflict");
        omni.recovers();
        suspends(false);
        CHECK(world.omni_gets(warehouse, "old-2", 5min + 10s));
        CHECK(older_holds());
        CHECK(failures() == 0);
        CHECK_FALSE(young_was_sent());
    }
};

} // namespace

TEST_SUITE_BEGIN("failing, then suspended");

TEST_CASE_FIXTURE(OlderFails, "and resumed") {
    suspends(true);
    world.passes(10min);
    check_nothing_is_lost();
}

TEST_CASE_FIXTURE(OlderFails, "then the operator is restarted") {
    suspends(true);
    world.passes(2min);
    restarts();
    check_nothing_is_lost();
}

TEST_CASE_FIXTURE(OlderFails, "then the operator is restarted, more than once") {
    suspends(true);
    for (int i = 0; i < 3; ++i)
        restarts();
    check_nothing_is_lost();
}

TEST_CASE_FIXTURE(OlderFails, "while the operator is restarted") {
    world.stops();
    world.passes(2s);
    suspends(true);
    world.starts();
    world.passes(2min);
    check_nothing_is_lost();
}

TEST_CASE_FIXTURE(OlderFails, "then the operator is restarted, and its key's list gets no answer") {
    suspends(true);
    world.passes(2min);
    omni.lists_take(older.key(), 1h);
    restarts();
    world.passes(3min);
    omni.lists_take(older.key(), 50ms);
    check_nothing_is_lost();
}

TEST_CASE_FIXTURE(OlderFails, "then the process is killed") {
    suspends(true);
    world.passes(2min);
    world.kills();
    world.starts();
    world.passes(2min);
    check_nothing_is_lost();
}

TEST_CASE_FIXTURE(OlderFails, "and goes on failing afterwards: failures are counted on") {
    suspends(true);
    world.passes(1min);
    const auto failed = failures();
    CHECK(failed >= 4);
    restarts();
    CHECK(failures() == failed);
    const auto tries = omni.count(RequestKind::push);
    world.passes(10min);
    CHECK(omni.count(RequestKind::push) == tries);
    suspends(false);
    CHECK(world.happens([&] { return failures() > failed; }, 5min + 10s));
    world.passes(30min);
    CHECK(omni.count(RequestKind::push) - tries <= 40); // it does not begin again with a second
    CHECK_FALSE(young_was_sent());
}

TEST_CASE_FIXTURE(OlderFails, "and its OmniInstance is suspended instead") {
    older.changes_instance({{"suspend", true}});
    world.passes(1min);
    restarts();
    CHECK(younger.reason("warehouse") == "ConnectionConflict");
    omni.recovers();
    older.changes_instance({{"suspend", false}});
    CHECK(world.omni_gets(warehouse, "old-2", 5min + 10s));
    CHECK(older_holds());
    CHECK_FALSE(young_was_sent());
}

TEST_SUITE_END();
