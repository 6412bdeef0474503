// A standby has warm caches, but what its leader learnt stands only in the statuses. It must know
// all of it before it sends anything.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// The younger names the connection by id, the older by a name that alpha resolved when beta stood
// by already. For the older's key everything takes a little longer.
struct ResolvedByLeader : Rivals {
    ResolvedByLeader() {
        older.applies_instance();
        younger.applies_instance();
        world.starts("alpha");
        world.passes(5s);
        world.starts("beta");
        world.passes(5s);
        both_apply({.by_name = "Warehouse"});
        REQUIRE(older_holds());
        REQUIRE(world.leader() == "alpha");
        omni.lists_take(older.key(), 3s);
    }

    // Beta leads, and nothing was sent for the younger.
    void check_nothing_changed() {
        CHECK(world.leader() == "beta");
        CHECK(omni.sent(warehouse) == "old");
        CHECK(older_holds());
    }
};

} // namespace

TEST_SUITE_BEGIN("a standby takes over");

TEST_CASE_FIXTURE(ResolvedByLeader,
                  "after SIGTERM, and an older object's name is resolved already") {
    world.stops("alpha");
    world.passes(2min);
    check_nothing_changed();
}

TEST_CASE_FIXTURE(ResolvedByLeader,
                  "after SIGKILL, and an older object's name is resolved already") {
    world.kills("alpha");
    world.passes(2min);
    check_nothing_changed();
}

TEST_CASE_FIXTURE(ResolvedByLeader, "an older object's name was changed, and resolved again") {
    const auto lake = omni.creates("Lake");
    older.changes("warehouse", {{"connectionName", "Lake"}});
    REQUIRE(world.omni_gets(lake, "old"));
    younger.changes("warehouse", {{"connectionID", lake}});
    REQUIRE(older_holds());

    world.stops("alpha");
    world.passes(2min);
    CHECK(omni.sent(lake) == "old");
    CHECK(older_holds());
}

TEST_CASE_FIXTURE(ResolvedByLeader, "and the older object is rotated at that moment") {
    older.writes("db", "old-2");
    world.stops("alpha");
    CHECK(world.omni_gets(warehouse, "old-2", 5s));
    world.passes(2min);
    CHECK(omni.sent(warehouse) == "old old-2");
    CHECK(older_holds());
}

TEST_SUITE_END();
