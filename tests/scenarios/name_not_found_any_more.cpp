// A PATCH is answered 404: the connection is gone. Who named it by name means another one from now
// on.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Omni's connection of this name is another one than it was, and a list takes four seconds.
struct NameIsAnothers {
    World world;
    Omni& omni = world.omni;
    std::string first = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    NameIsAnothers() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        omni.purges(first);
        omni.lists_take(4s);
    }

    void check_gets_it(const std::string& connection, const std::string& value,
                       oco::rt::Duration within = 20s) {
        CHECK(world.omni_gets(connection, value, within));
        CHECK(sales.in_step("warehouse", 70s)); // after a crash it is sent twice
        CHECK(sales.status_text("warehouse", {"connectionID"}) == connection);
    }
};

} // namespace

TEST_SUITE_BEGIN("a name is not found any more");

TEST_CASE_FIXTURE(NameIsAnothers, "and means another connection") {
    const auto second = omni.creates("Warehouse");
    sales.writes("db", "bravo");
    check_gets_it(second, "bravo");
    CHECK(omni.sent(first) == "alfa bravo"); // the one that was answered 404
}

TEST_CASE_FIXTURE(NameIsAnothers, "and the Secret changes while the list is read") {
    const auto second = omni.creates("Warehouse");
    sales.writes("db", "bravo");
    REQUIRE(world.omni_is_asked(RequestKind::list));
    sales.writes("db", "charlie");
    check_gets_it(second, "charlie");
    CHECK(omni.sent(first) == "alfa bravo");
}

TEST_CASE_FIXTURE(NameIsAnothers, "and the operator restarts while the list is read") {
    const auto second = omni.creates("Warehouse");
    sales.writes("db", "bravo");
    REQUIRE(world.omni_is_asked(RequestKind::list));
    world.kills();
    world.starts();
    check_gets_it(second, "bravo", 1min);
}

TEST_CASE_FIXTURE(NameIsAnothers, "by anybody, until somebody makes it: found by the next probe") {
    sales.writes("db", "bravo");
    CHECK(sales.sees("warehouse", "ConnectionNotFound"));
    world.passes(3min);
    const auto second = omni.creates("Warehouse");
    check_gets_it(second, "bravo", 10min);
    CHECK(omni.sent(first) == "alfa bravo");
}

TEST_CASE_FIXTURE(NameIsAnothers, "but two have it now: nothing is sent until one is left") {
    const auto second = omni.creates("Warehouse");
    const auto third = omni.creates("Warehouse");
    sales.writes("db", "bravo");
    CHECK(sales.sees("warehouse", "ConnectionNameAmbiguous"));
    world.passes(1min);
    CHECK(omni.sent(second) + omni.sent(third) == "");
    omni.renames(third, "Lake");
    check_gets_it(second, "bravo", 10min);
    CHECK(omni.sent(third).empty());
}

TEST_CASE("a connection that is named by id is not found, and comes back") {
    World world;
    const auto warehouse = world.omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");
    sales.applies_instance();
    sales.writes("db", "alfa");
    sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    world.starts();
    REQUIRE(sales.in_step("warehouse"));

    world.omni.deletes(warehouse);
    sales.writes("db", "bravo");
    CHECK(sales.sees("warehouse", "ConnectionNotFound"));
    world.passes(1h);
    CHECK(world.omni.sent(warehouse) == "alfa bravo"); // lists tell whether it is back
    world.omni.restores(warehouse);
    CHECK(world.omni_gets(warehouse, "bravo", 10min + 5s));
    CHECK(sales.in_step("warehouse"));
}

TEST_SUITE_END();
