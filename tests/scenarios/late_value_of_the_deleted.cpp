// A PATCH that Omni carries out 40 seconds later was sent for an object that is deleted, and
// perhaps made again, before anybody knows what became of it. No status can tell the next process:
// the Lease does.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Omni holds alfa. Bravo is on its way, and takes 40 s.
struct OnItsWay {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    OnItsWay() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        applies_warehouse();
        world.starts("alpha");
        REQUIRE(sales.in_step("warehouse"));
        world.passes(2min);
        omni.next_push(warehouse, done_after(40s));
    }

    void applies_warehouse() {
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    }

    void sends_bravo() {
        sales.writes("db", "bravo");
        REQUIRE(world.omni_is_asked(RequestKind::push));
        world.passes(500ms);
    }

    void check_charlie_is_there_in_the_end() {
        world.passes(3min);
        CHECK(omni.held(warehouse) == "charlie");
        CHECK(sales.in_step("warehouse"));
    }
};

} // namespace

TEST_SUITE_BEGIN("a late value of an object that is gone");

TEST_CASE_FIXTURE(OnItsWay, "SIGTERM while it is on its way") {
    sends_bravo();
    sales.deletes("warehouse");
    world.stops("alpha");
    world.passes(10s);
    sales.writes("db", "charlie");
    applies_warehouse();
    world.starts("alpha");
    REQUIRE(world.omni_gets(warehouse, "charlie", 5s)); // no Lease has to run out
    check_charlie_is_there_in_the_end();
}

TEST_CASE_FIXTURE(OnItsWay, "SIGTERM while it is on its way, and the object is made again") {
    sends_bravo();
    sales.deletes("warehouse");
    sales.writes("db", "charlie");
    applies_warehouse();
    world.stops("alpha");
    world.passes(10s);
    world.starts("alpha");
    check_charlie_is_there_in_the_end();
}

TEST_CASE_FIXTURE(OnItsWay, "its status told of it, and goes with it between two processes") {
    sends_bravo();
    world.stops("alpha");
    world.passes(10s);
    REQUIRE(sales.vouched("warehouse").empty());
    sales.deletes("warehouse");
    sales.writes("db", "charlie");
    applies_warehouse();
    world.starts("alpha");
    check_charlie_is_there_in_the_end();
}

TEST_CASE_FIXTURE(OnItsWay, "another process is stopped before it sends anything") {
    sends_bravo();
    sales.deletes("warehouse");
    world.stops("alpha");
    world.passes(10s);
    for (int i = 0; i < 2; ++i) {
        world.starts("alpha");
        world.passes(2s);
        world.stops("alpha");
    }
    sales.writes("db", "charlie");
    applies_warehouse();
    world.starts("alpha");
    check_charlie_is_there_in_the_end();
}

TEST_CASE_FIXTURE(OnItsWay, "SIGKILL, and all objects are made again before the Lease runs out") {
    sends_bravo();
    world.kills("alpha");
    sales.deletes("warehouse");
    sales.deletes_instance();
    sales.writes("db", "charlie");
    sales.applies_instance();
    applies_warehouse();
    world.starts("alpha");
    check_charlie_is_there_in_the_end();
}

TEST_CASE_FIXTURE(OnItsWay, "a gateway gives up on it, or takes it for later") {
    for (const unsigned status : {202U, 503U, 524U}) {
        CAPTURE(status);
        world.passes(5min);
        sales.writes("db", "alfa");
        REQUIRE(world.omni_gets(warehouse, "alfa", 3min));
        world.passes(2min);
        omni.recovers();
        omni.next_push(warehouse, done_after_answer(40s, status));
        sales.writes("db", "bravo");
        REQUIRE(world.omni_is_asked(RequestKind::push));
        world.passes(500ms);
        sales.writes("db", "charlie");
        check_charlie_is_there_in_the_end();
    }
}

TEST_SUITE_END();
