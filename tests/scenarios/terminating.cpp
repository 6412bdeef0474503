// An object with a deletionTimestamp, which somebody's finalizer keeps for a while, holds nothing
// and sends nothing.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct OlderIsAlone : Rivals {
    OlderIsAlone() {
        older.applies_instance();
        younger.applies_instance();
        older_applies();
        world.starts();
        REQUIRE(older.in_step("warehouse"));
        world.passes(2s);
    }

    void younger_is_in_conflict() {
        younger_applies();
        REQUIRE(younger.sees("warehouse", "ConnectionConflict"));
    }
};

} // namespace

TEST_SUITE_BEGIN("a terminating object");

TEST_CASE_FIXTURE(OlderIsAlone, "sends nothing, whatever changes") {
    older.terminates("warehouse");
    older.writes("db", "old-2");
    world.passes(1min);
    older.annotates("warehouse", "reconcile.omniconnection.io/requestedAt", "now");
    older.annotates("warehouse", "reconcile.omniconnection.io/forceAt", "now");
    older.changes("warehouse", {{"baseRole", "VIEWER"}});
    world.passes(20min);
    CHECK(omni.sent(warehouse) == "old");
    CHECK(omni.roles_sent(warehouse).empty());
}

TEST_CASE_FIXTURE(OlderIsAlone, "leaves the connection to who waits for it") {
    younger_is_in_conflict();
    older.terminates("warehouse");
    CHECK(world.omni_gets(warehouse, "young"));
    CHECK(younger.in_step("warehouse"));
    older.writes("db", "old-2");
    world.passes(20min);
    older.deletes("warehouse");
    world.passes(1min);
    CHECK(omni.sent(warehouse) == "old young");
}

TEST_CASE_FIXTURE(OlderIsAlone, "leaves the connection across a restart") {
    younger_is_in_conflict();
    world.stops();
    world.passes(2s);
    older.terminates("warehouse");
    older.writes("db", "old-2");
    world.starts();
    CHECK(younger.in_step("warehouse", 70s));
    CHECK(omni.sent(warehouse) == "old young");
}

TEST_CASE_FIXTURE(OlderIsAlone, "that waits to try again gives up") {
    omni.each_push(warehouse, refused_with(503));
    older.writes("db", "old-2");
    REQUIRE(older.sees("warehouse", "OmniUnavailable"));
    older.terminates("warehouse");
    world.passes(1s);
    const auto tries = omni.count(RequestKind::push);
    world.passes(20min);
    CHECK(omni.count(RequestKind::push) == tries);
}

TEST_CASE_FIXTURE(OlderIsAlone, "whose last value is late: that is feared") {
    younger_is_in_conflict();
    omni.next_push(warehouse, done_after(40s));
    older.writes("db", "old-2");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    older.terminates("warehouse");
    REQUIRE(world.omni_gets(warehouse, "young", 20s));
    world.passes(3min);
    CHECK(omni.held(warehouse) == "young");
    CHECK(omni.sent(warehouse) == "old old-2 young young");
    CHECK(younger.in_step("warehouse"));
}

TEST_SUITE_END();
