// A credential is sent again every repushInterval, since nobody can see whether it was changed in
// Omni's own pages.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct RepushedHourly {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    RepushedHourly() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies(
            {.name = "warehouse", .id = warehouse, .secret = "db", .repush_interval = "1h"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
    }

    [[nodiscard]] std::size_t pushes() const { return omni.count(RequestKind::push); }
};

} // namespace

TEST_SUITE_BEGIN("a credential is sent again every hour");

TEST_CASE_FIXTURE(RepushedHourly, "and not more often") {
    world.passes(59min);
    CHECK(pushes() == 1);
    world.passes(2min);
    CHECK(pushes() == 2);
    world.passes(2h);
    CHECK(pushes() == 4);
    CHECK(sales.in_step("warehouse"));
}

TEST_CASE_FIXTURE(RepushedHourly, "counted from the last rotation") {
    world.passes(50min);
    sales.writes("db", "bravo");
    world.passes(50min);
    CHECK(omni.sent(warehouse) == "alfa bravo");
    world.passes(15min);
    CHECK(omni.sent(warehouse) == "alfa bravo bravo");
}

TEST_CASE_FIXTURE(RepushedHourly, "across restarts") {
    for (int i = 0; i < 12; ++i) {
        world.passes(10min);
        world.stops();
        world.passes(5s);
        world.starts();
    }
    world.passes(2min);
    CHECK(pushes() == 3);
}

TEST_CASE_FIXTURE(RepushedHourly, "at once when it became due while no process ran") {
    world.stops();
    world.passes(5h);
    world.starts();
    world.passes(1min);
    CHECK(pushes() == 2);
}

TEST_CASE_FIXTURE(RepushedHourly, "but waits while its Secret is away") {
    sales.deletes_secret("db");
    world.passes(2h);
    CHECK(pushes() == 1);
    CHECK(sales.reason("warehouse") == "SecretNotFound");
    sales.writes("db", "alfa");
    CHECK(world.happens([&] { return pushes() == 2; }));
    CHECK(sales.in_step("warehouse"));
}

TEST_CASE_FIXTURE(RepushedHourly, "but waits while it is suspended") {
    sales.changes("warehouse", {{"suspend", true}});
    world.passes(2h);
    CHECK(pushes() == 1);
    sales.changes("warehouse", {{"suspend", false}});
    world.passes(1min);
    CHECK(pushes() == 2);
    CHECK(sales.in_step("warehouse"));
}

TEST_CASE_FIXTURE(RepushedHourly, "but not by who does not hold the connection") {
    Tenant& finance = world.tenant("finance");
    world.passes(2s);
    finance.applies_instance();
    finance.writes("db", "young");
    finance.applies({.name = "young", .id = warehouse, .secret = "db", .repush_interval = "1h"});
    world.passes(2h);
    CHECK(finance.reason("young") == "ConnectionConflict");
    CHECK(omni.sent(warehouse) == "alfa alfa alfa");
}

TEST_SUITE_END();
