// A list tells of what was there when it was asked for. Who needs a later one while it is under way
// gets it, whatever else happens to the key meanwhile.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// A list takes five seconds. While one is under way, a connection is named that it does not know.
struct ListUnderWay {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    std::string lake;
    Tenant& sales = world.tenant("sales");

    ListUnderWay() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db", .role = "VIEWER"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        world.passes(2min);
        omni.lists_take(5s);
    }

    void lake_is_named_while_it_is_read() {
        sales.annotates("warehouse", "reconcile.omniconnection.io/requestedAt", "now");
        REQUIRE(world.omni_is_asked(RequestKind::list));
        lake_is_named();
    }

    void lake_is_named() {
        lake = omni.creates("Lake");
        sales.applies({.name = "lake", .by_name = "Lake", .role = "QUERIER"});
        world.passes(1s);
    }
};

} // namespace

TEST_SUITE_BEGIN("a list is wished for meanwhile");

TEST_CASE_FIXTURE(ListUnderWay, "and nothing else happens") {
    lake_is_named_while_it_is_read();
    CHECK(sales.in_step("lake", 20s));
}

TEST_CASE_FIXTURE(ListUnderWay, "and a 403 puts the key in doubt") {
    omni.next_push(warehouse, refused_with(403));
    lake_is_named_while_it_is_read();
    sales.writes("db", "bravo");
    CHECK(sales.in_step("lake", 20s));
    CHECK(sales.reason("warehouse") == "Forbidden");
}

TEST_CASE_FIXTURE(ListUnderWay, "and a 403 puts the key in doubt once more") {
    omni.each_push(warehouse, refused_with(403));
    sales.writes("db", "bravo");
    REQUIRE(sales.sees("warehouse", "Forbidden"));
    world.passes(2min);
    lake_is_named_while_it_is_read();
    sales.writes("db", "charlie");
    CHECK(sales.in_step("lake", 20s));
}

TEST_CASE_FIXTURE(ListUnderWay, "and a 401 puts the key in doubt") {
    omni.next_push(warehouse, refused_with(401));
    lake_is_named_while_it_is_read();
    sales.writes("db", "bravo");
    CHECK(sales.in_step("lake", 20s));
    CHECK(sales.in_step("warehouse", 20s));
}

TEST_CASE_FIXTURE(ListUnderWay, "and a 403 puts a key in doubt that was asked about already") {
    omni.each_push(warehouse, refused_with(403));
    sales.writes("db", "bravo");
    REQUIRE(sales.sees("warehouse", "Forbidden"));
    sales.writes("db", "charlie");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    world.passes(1s);
    lake_is_named();
    CHECK(sales.in_step("lake", 70s));
}

TEST_CASE_FIXTURE(ListUnderWay, "and the list fails") {
    omni.next_list(refused_with(503));
    lake_is_named_while_it_is_read();
    CHECK(sales.in_step("lake", 20s));
}

TEST_CASE_FIXTURE(ListUnderWay, "and the list is refused once: the next probe finds it") {
    omni.next_list(refused_with(403));
    lake_is_named_while_it_is_read();
    CHECK(sales.in_step("lake", 11min));
}

TEST_CASE_FIXTURE(ListUnderWay, "and the list is answered 429") {
    omni.next_list(refused_with(429, 30));
    lake_is_named_while_it_is_read();
    CHECK(sales.in_step("lake", 45s));
}

TEST_CASE_FIXTURE(ListUnderWay, "and the OmniInstance is made again") {
    lake_is_named_while_it_is_read();
    sales.deletes_instance();
    sales.applies_instance();
    CHECK(sales.in_step("lake", 20s));
}

TEST_CASE_FIXTURE(ListUnderWay, "by another OmniInstance with the same key") {
    sales.applies_instance({.name = "omni-2", .key_secret = "key-2"});
    lake_is_named_while_it_is_read();
    sales.applies({.name = "lake-2", .by_name = "Lake", .role = "QUERIER", .instance = "omni-2"});
    CHECK(sales.in_step("lake", 20s));
    CHECK(sales.sees("lake-2", "ConnectionConflict", 20s));
}

TEST_CASE_FIXTURE(ListUnderWay, "by who asks for a reconcile") {
    lake_is_named_while_it_is_read();
    omni.sets_role(warehouse, "MODELER");
    sales.annotates("warehouse", "reconcile.omniconnection.io/requestedAt", "again");
    CHECK(world.happens([&] { return omni.role(warehouse) == "VIEWER"; }, 30s));
    CHECK(sales.in_step("lake", 20s));
}

TEST_SUITE_END();
