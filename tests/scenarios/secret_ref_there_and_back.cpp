// A process is killed after Omni stored a value, and before the status says so. What it was told to
// send is changed back before the next process comes: then the status and the spec agree, and Omni
// holds something else all the same.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct HoldsAlfa {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    HoldsAlfa() {
        sales.applies_instance();
        sales.writes("a", "alfa");
        sales.writes("a", "bravo", "other");
        sales.writes("b", "bravo");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "a", .role = "VIEWER"});
        world.starts("alpha");
        REQUIRE(sales.in_step("warehouse"));
        omni.answers_take(500ms);
    }

    void bravo_is_stored_and_nobody_learns_it() {
        REQUIRE(world.omni_gets(warehouse, "bravo"));
        world.kills("alpha");
        world.passes(1s);
        REQUIRE(sales.vouched("warehouse") == "alfa");
    }

    void check_alfa_is_sent() {
        CHECK(world.omni_gets(warehouse, "alfa", 1min));
        CHECK(sales.in_step("warehouse", 3min));
        CHECK(omni.held(warehouse) == "alfa");
    }
};

} // namespace

TEST_SUITE_BEGIN("there and back over a crash");

TEST_CASE_FIXTURE(HoldsAlfa, "another Secret is named") {
    sales.changes("warehouse", Tenant::credential_from("b"));
    bravo_is_stored_and_nobody_learns_it();
    sales.changes("warehouse", Tenant::credential_from("a"));
    world.starts("alpha");
    check_alfa_is_sent();
}

TEST_CASE_FIXTURE(HoldsAlfa, "another Secret is named, and a standby takes over") {
    world.starts("beta");
    world.passes(5s);
    sales.changes("warehouse", Tenant::credential_from("b"));
    bravo_is_stored_and_nobody_learns_it();
    sales.changes("warehouse", Tenant::credential_from("a"));
    check_alfa_is_sent();
}

TEST_CASE_FIXTURE(HoldsAlfa, "another key of the Secret is named") {
    sales.changes("warehouse", Tenant::credential_from("a", "other"));
    bravo_is_stored_and_nobody_learns_it();
    sales.changes("warehouse", Tenant::credential_from("a"));
    world.starts("alpha");
    check_alfa_is_sent();
}

TEST_CASE_FIXTURE(HoldsAlfa, "the Secret's value changes") {
    sales.writes("a", "bravo");
    bravo_is_stored_and_nobody_learns_it();
    sales.writes("a", "alfa");
    world.starts("alpha");
    check_alfa_is_sent();
}

TEST_CASE_FIXTURE(HoldsAlfa, "the object is made again, and its Secret changed meanwhile") {
    sales.writes("a", "bravo");
    bravo_is_stored_and_nobody_learns_it();
    sales.deletes("warehouse");
    sales.writes("a", "alfa");
    sales.applies({.name = "warehouse", .id = warehouse, .secret = "a"});
    world.starts("alpha");
    check_alfa_is_sent();
}

TEST_CASE_FIXTURE(HoldsAlfa, "another role is wanted") {
    sales.changes("warehouse", {{"baseRole", "QUERIER"}});
    REQUIRE(world.happens([&] { return omni.role(warehouse) == "QUERIER"; }));
    world.kills("alpha");
    sales.changes("warehouse", {{"baseRole", "VIEWER"}});
    world.starts("alpha");
    CHECK(world.happens([&] { return omni.role(warehouse) == "VIEWER"; }, 1min));
    CHECK(sales.in_step("warehouse", 3min));
}

// It was kept waiting, which its status said: the spec was seen, and something else is applied.
TEST_CASE_FIXTURE(HoldsAlfa,
                  "another key is named and pending, and named back while a list is read") {
    for (const char* value : {"alfa", "bravo", "alfa"}) { // it has had its quick pushes
        sales.writes("a", value);
        REQUIRE(world.omni_gets(warehouse, value));
        REQUIRE(sales.in_step("warehouse"));
    }
    sales.writes("a", "bravo", "other");
    REQUIRE(sales.in_step("warehouse"));
    sales.changes("warehouse", Tenant::credential_from("a", "other"));
    REQUIRE(sales.sees("warehouse", "RateLimited"));
    bravo_is_stored_and_nobody_learns_it();
    omni.lists_take(8s);
    world.starts("alpha");
    REQUIRE(world.omni_is_asked(RequestKind::list));
    sales.changes("warehouse", Tenant::credential_from("a"));
    check_alfa_is_sent();
}

TEST_SUITE_END();
