// Only who was let in by Omni once may hold a connection: an object without a working OmniInstance
// holds nothing that another tenant manages, however old it is.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

TEST_SUITE_BEGIN("a claim without proof");

TEST_CASE_FIXTURE(Rivals, "the older object's OmniInstance has no key") {
    older.applies_instance({.keyless = true});
    younger.applies_instance();
    both_apply();
    world.starts();
    CHECK(younger.in_step("warehouse", 70s));
    CHECK(older.reason("warehouse") != "Synced");

    // Once it has one, the oldest holds.
    omni.accepts(older.key());
    older.changes_key(older.key());
    CHECK(world.omni_gets(warehouse, "old", 70s));
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "young old");
}

TEST_CASE_FIXTURE(Rivals, "the older object's key is refused") {
    older.applies_instance();
    omni.refuses(older.key());
    younger.applies_instance();
    both_apply();
    world.starts();
    CHECK(younger.in_step("warehouse", 70s));
    world.passes(1h);
    younger.writes("db", "young-2");
    CHECK(younger.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "young young-2");
}

namespace {

// What it applied, it applied by a right that it has no more: it turns to an OmniInstance of its
// own.
struct TurnsToItsOwn : Rivals {
    TurnsToItsOwn() {
        Tenant& platform = world.tenant("platform");
        platform.applies_instance({.allows = all_namespaces()});
        older.applies(
            {.name = "warehouse", .id = warehouse, .secret = "db", .instance_of = "platform"});
        world.starts();
        REQUIRE(older.in_step("warehouse"));
        world.passes(2s); // or the two would be as old as each other
    }

    void turns() const {
        older.changes("warehouse",
                      {{"instanceRef", bj::object{{"name", "omni"}, {"namespace", "team-b"}}}});
    }

    void check_younger_gets_it() {
        younger.applies(
            {.name = "warehouse", .id = warehouse, .secret = "db", .instance_of = "platform"});
        CHECK(younger.in_step("warehouse", 2min));
        CHECK(omni.held(warehouse) == "young");
        CHECK(older.vouched("warehouse").empty());
    }
};

} // namespace

TEST_CASE_FIXTURE(TurnsToItsOwn, "the older object's own OmniInstance has a junk key") {
    older.applies_instance({.key = "junk"});
    omni.refuses("junk");
    turns();
    check_younger_gets_it();
}

TEST_CASE_FIXTURE(TurnsToItsOwn, "the older object's own OmniInstance has no key") {
    older.applies_instance({.keyless = true});
    turns();
    check_younger_gets_it();
}

TEST_CASE_FIXTURE(TurnsToItsOwn, "the older object's own OmniInstance is suspended") {
    older.applies_instance({.suspended = true});
    turns();
    check_younger_gets_it();
}

TEST_CASE_FIXTURE(TurnsToItsOwn, "the older object turned while no process ran") {
    world.kills();
    world.passes(1s);
    older.applies_instance({.suspended = true});
    turns();
    world.starts();
    check_younger_gets_it();
}

TEST_CASE_FIXTURE(Rivals, "the older object's OmniInstance was suspended from the beginning") {
    older.applies_instance({.suspended = true});
    younger.applies_instance();
    both_apply();
    world.starts();
    CHECK(younger.in_step("warehouse", 70s));

    older.changes_instance({{"suspend", false}});
    CHECK(world.omni_gets(warehouse, "old", 70s));
    CHECK(older_holds());
}

TEST_CASE_FIXTURE(Rivals, "the older object was suspended from the beginning, its key never seen") {
    older.applies_instance({.keyless = true});
    younger.applies_instance();
    both_apply({.suspended = true});
    world.starts();
    CHECK(younger.in_step("warehouse", 70s));
}

TEST_CASE_FIXTURE(Rivals, "the older object's OmniInstance does not allow the connection") {
    older.applies_instance({.connections = {omni.creates("Lake")}});
    younger.applies_instance();
    both_apply();
    world.starts();
    CHECK(younger.in_step("warehouse", 70s));
    CHECK(older.sees("warehouse", "ConnectionNotAllowed"));
}

TEST_CASE_FIXTURE(Rivals, "an older object without a key turns to a connection that is managed") {
    older.applies_instance({.keyless = true});
    younger.applies_instance();
    both_apply({.id = omni.creates("Lake")});
    world.starts();
    REQUIRE(younger.in_step("warehouse"));

    older.changes("warehouse", {{"connectionID", warehouse}});
    world.passes(2min);
    younger.writes("db", "young-2");
    CHECK(younger.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "young young-2");
}

TEST_CASE_FIXTURE(Rivals, "the older object's key is slow to prove: the younger waits for it") {
    older.applies_instance();
    omni.lists_take(older.key(), 9s);
    younger.applies_instance();
    both_apply();
    world.starts();
    CHECK(world.omni_gets(warehouse, "old", 20s));
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(Rivals, "the older object's key is never answered: the younger waits a minute") {
    older.applies_instance();
    omni.lists_take(older.key(), 1h);
    younger.applies_instance();
    both_apply();
    world.starts();
    world.passes(8s);
    CHECK(omni.sent(warehouse).empty());
    CHECK(younger.in_step("warehouse", 70s));
    CHECK(omni.sent(warehouse) == "young");
}

TEST_CASE_FIXTURE(Rivals, "the older object's key may read nothing: it ranks behind") {
    older.applies_instance();
    omni.forbids_reading(older.key());
    younger.applies_instance();
    both_apply();
    world.starts();
    CHECK(younger_holds());
    CHECK(omni.held(warehouse) == "young");

    // Where nobody else claims it, it may send.
    younger.deletes("warehouse");
    CHECK(world.omni_gets(warehouse, "old", 70s));
    CHECK(older.in_step("warehouse"));
}

TEST_SUITE_END();
