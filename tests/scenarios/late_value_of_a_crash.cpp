// A process was killed less than a second after it sent a PATCH, which Omni carries out 40 seconds
// later. No status tells of it, and no process knows; the newest value is there in the end all the
// same.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Omni holds alfa. Bravo was sent, and the process that sent it is gone.
struct SenderKilled {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    SenderKilled() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db", .role = "VIEWER"});
        world.starts("alpha");
        REQUIRE(sales.in_step("warehouse"));
        world.passes(2min);
        omni.next_push(warehouse, done_after(40s));
    }

    void sender_dies() {
        REQUIRE(world.omni_is_asked(RequestKind::push));
        world.passes(500ms);
        world.kills("alpha");
    }

    void check_in_the_end(const std::string& value) {
        world.passes(3min);
        CHECK(omni.held(warehouse) == value);
        CHECK(sales.in_step("warehouse"));
    }
};

} // namespace

TEST_SUITE_BEGIN("a late value of a crash");

TEST_CASE_FIXTURE(SenderKilled, "the next process finds a newer value") {
    sales.writes("db", "bravo");
    sender_dies();
    sales.writes("db", "charlie");
    world.starts("alpha");
    check_in_the_end("charlie");
}

TEST_CASE_FIXTURE(SenderKilled, "a standby finds a newer value") {
    world.starts("beta");
    world.passes(5s);
    sales.writes("db", "bravo");
    sender_dies();
    sales.writes("db", "charlie");
    check_in_the_end("charlie");
    CHECK(world.leader() == "beta");
}

TEST_CASE_FIXTURE(SenderKilled, "the newer value comes while the next process leads") {
    sales.writes("db", "bravo");
    sender_dies();
    world.starts("alpha");
    REQUIRE(world.omni_gets(warehouse, "bravo", 30s)); // sent again
    sales.writes("db", "charlie");
    check_in_the_end("charlie");
}

TEST_CASE_FIXTURE(SenderKilled, "the value before is wanted again") {
    sales.writes("db", "bravo");
    sender_dies();
    sales.writes("db", "alfa");
    world.starts("alpha");
    check_in_the_end("alfa");
}

TEST_CASE_FIXTURE(SenderKilled, "nothing newer: the same is sent again") {
    sales.writes("db", "bravo");
    sender_dies();
    world.starts("alpha");
    check_in_the_end("bravo");
}

TEST_CASE_FIXTURE(SenderKilled, "the object is made again, with a newer value") {
    sales.writes("db", "bravo");
    sender_dies();
    sales.deletes("warehouse");
    sales.writes("db", "charlie");
    sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    world.starts("alpha");
    check_in_the_end("charlie");
}

TEST_CASE_FIXTURE(SenderKilled, "it is a role") {
    sales.changes("warehouse", {{"baseRole", "QUERIER"}});
    sender_dies();
    sales.changes("warehouse", {{"baseRole", "MODELER"}});
    world.starts("alpha");
    world.passes(3min);
    CHECK(omni.role(warehouse) == "MODELER");
    CHECK(sales.in_step("warehouse"));
}

TEST_SUITE_END();
