// A PATCH that went unanswered may still be carried out, for a minute. That is feared at its
// connection, whoever manages it by then: the value that follows is sent at once, and again after
// the minute, before it counts.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Omni holds alfa. Bravo was sent five seconds ago, and is carried out in 35 seconds; nobody
// answers.
struct BravoIsLate {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    std::string lake = omni.creates("Lake");
    Tenant& sales = world.tenant("sales");
    Tenant& finance = world.tenant("finance");

    BravoIsLate() {
        sales.applies_instance();
        finance.applies_instance();
        sales.writes("db", "alfa");
        finance.writes("db", "charlie");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db", .role = "VIEWER"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        omni.next_push(warehouse, done_after(40s));
        sales.writes("db", "bravo");
        REQUIRE(world.omni_is_asked(RequestKind::push));
        world.passes(5s);
    }

    // Charlie is sent, and once more after the minute; before that it does not count.
    void check_charlie_settles(Tenant& tenant) {
        REQUIRE(world.omni_gets(warehouse, "charlie", 15s));
        const auto first_sent = omni.last_push(warehouse);
        CHECK(world.omni_gets(warehouse, "bravo", 35s)); // it landed
        CHECK(tenant.reason("warehouse") != "Synced");
        CHECK(world.omni_gets(warehouse, "charlie", 70s));
        CHECK(omni.last_push(warehouse) - first_sent >= 60s);
        CHECK(tenant.in_step("warehouse"));
        world.passes(5min);
        CHECK(omni.held(warehouse) == "charlie");
        CHECK(omni.sent(warehouse) == "alfa bravo charlie charlie");
    }
};

} // namespace

TEST_SUITE_BEGIN("a late value of another");

TEST_CASE_FIXTURE(BravoIsLate, "of this very object: its next value settles") {
    sales.writes("db", "charlie");
    check_charlie_settles(sales);
}

TEST_CASE_FIXTURE(BravoIsLate, "of an object that turned to another connection") {
    sales.changes("warehouse", {{"connectionID", lake}});
    finance.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    check_charlie_settles(finance);
    CHECK(omni.held(lake) == "bravo");
}

TEST_CASE_FIXTURE(BravoIsLate, "of this very object, which turned away and came back") {
    sales.changes("warehouse", {{"connectionID", lake}});
    REQUIRE(world.omni_gets(lake, "bravo", 15s));
    sales.writes("db", "charlie");
    sales.changes("warehouse", {{"connectionID", warehouse}});
    check_charlie_settles(sales);
}

TEST_CASE_FIXTURE(BravoIsLate, "of an object that was deleted") {
    sales.deletes("warehouse");
    finance.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    check_charlie_settles(finance);
}

TEST_CASE_FIXTURE(BravoIsLate, "of an object that was made again") {
    sales.deletes("warehouse");
    sales.writes("db", "charlie");
    sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    check_charlie_settles(sales);
}

TEST_CASE_FIXTURE(BravoIsLate, "of an object that lost its OmniInstance to a rival") {
    finance.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    world.passes(1s);
    sales.deletes_instance();
    check_charlie_settles(finance);
}

TEST_CASE_FIXTURE(BravoIsLate, "of an object that does not manage the credential any more") {
    sales.changes("warehouse", {{"credentials", nullptr}});
    finance.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    check_charlie_settles(finance);
}

TEST_CASE_FIXTURE(BravoIsLate, "of an object that turned away while the operator restarted") {
    world.stops(); // which cuts the request, and records that
    world.passes(9s);
    sales.changes("warehouse", {{"connectionID", lake}});
    finance.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    world.starts();
    check_charlie_settles(finance);
}

TEST_SUITE_END();
