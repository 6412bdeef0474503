// Omni refuses a key with 401, and later takes it again: what waits for it goes within seconds, and
// is not mistaken for a connection that the key may not change.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct KeyInUse {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    std::string lake = omni.creates("Lake");
    Tenant& sales = world.tenant("sales");
    Tenant& finance = world.tenant("finance"); // by its own OmniInstance, with the same key

    KeyInUse() {
        sales.applies_instance({.key = "shared"});
        finance.applies_instance({.key = "shared"});
        for (Tenant* tenant : {&sales, &finance})
            tenant->writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        finance.applies({.name = "lake", .id = lake, .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        REQUIRE(finance.in_step("lake"));
        world.passes(2min);
    }

    void key_is_refused() {
        omni.refuses("shared");
        sales.writes("db", "bravo");
        REQUIRE(sales.sees("warehouse", "Unauthorized"));
        REQUIRE(finance.sees("lake", "Unauthorized"));
        finance.writes("db", "bravo");
    }

    // From the next probe of the key, one a minute, it takes seconds.
    void check_all_goes(oco::rt::Duration within) {
        CHECK(world.omni_gets(warehouse, "bravo", within));
        CHECK(world.omni_gets(lake, "bravo", 5s));
        CHECK(sales.in_step("warehouse"));
        CHECK(finance.in_step("lake"));
    }
};

} // namespace

TEST_SUITE_BEGIN("a key is good again");

TEST_CASE_FIXTURE(KeyInUse, "after a few minutes") {
    key_is_refused();
    world.passes(3min);
    omni.accepts("shared");
    check_all_goes(65s);
}

TEST_CASE_FIXTURE(KeyInUse, "after an hour, with a probe a minute") {
    key_is_refused();
    const auto before = omni.server.traffic.all().size();
    world.passes(1h);
    const auto probes = omni.server.traffic.all().size() - before;
    CHECK(probes >= 60 - 5);
    CHECK(probes <= 60 + 5);
    omni.accepts("shared");
    check_all_goes(65s);
}

TEST_CASE_FIXTURE(KeyInUse, "by the time that it is asked about") {
    omni.next_push(warehouse, refused_with(401));
    sales.writes("db", "bravo");
    finance.writes("db", "bravo");
    check_all_goes(10s);
    CHECK(omni.sent(warehouse) == "alfa bravo bravo");
}

TEST_CASE_FIXTURE(KeyInUse, "by the time that it is asked about, twice in a minute") {
    omni.next_push(warehouse, refused_with(401));
    sales.writes("db", "alfa-2");
    REQUIRE(world.omni_gets(warehouse, "alfa-2", 10s));
    omni.next_push(warehouse, refused_with(401));
    sales.writes("db", "bravo");
    finance.writes("db", "bravo");
    check_all_goes(65s);
}

TEST_CASE_FIXTURE(KeyInUse, "since its Secret holds another") {
    key_is_refused();
    world.passes(3min);
    omni.accepts("another");
    finance.changes_key("another");
    sales.changes_key("another");
    check_all_goes(5s);
}

TEST_CASE_FIXTURE(KeyInUse, "across a restart") {
    key_is_refused();
    world.passes(3min);
    world.stops();
    world.passes(12s);
    omni.accepts("shared");
    world.starts();
    check_all_goes(10s);
}

TEST_CASE_FIXTURE(KeyInUse, "but may not change the connection: that is Forbidden, and probed") {
    omni.restricts("shared", {lake});
    sales.writes("db", "bravo");
    finance.writes("db", "bravo");
    CHECK(sales.sees("warehouse", "Forbidden"));
    CHECK(finance.in_step("lake"));
    world.passes(1h);
    CHECK(omni.count(RequestKind::push) <= 4 + 6); // every ten minutes
    omni.accepts("shared");
    check_all_goes(10min);
}

TEST_SUITE_END();
