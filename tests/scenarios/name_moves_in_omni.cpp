// A name is resolved by a list that was read after the object, or its name, was seen; and then it
// is pinned.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Since the last list was read, the first connection was renamed, and another has its name.
struct NameMoved {
    World world;
    Omni& omni = world.omni;
    std::string first = omni.creates("Warehouse");
    std::string second;
    Tenant& sales = world.tenant("sales");

    NameMoved() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies({.name = "lake", .id = omni.creates("Lake"), .role = "VIEWER"});
        world.starts();
        REQUIRE(sales.in_step("lake"));
    }

    void name_moves() {
        omni.renames(first, "Warehouse, before 2026");
        second = omni.creates("Warehouse");
    }

    void check_second_gets_it() {
        CHECK(world.omni_gets(second, "alfa"));
        CHECK(sales.in_step("warehouse"));
        CHECK(sales.status_text("warehouse", {"connectionID"}) == second);
    }
};

// The credential stays where it was, whatever else changes while nobody looks.
struct NameMovesUnseen : NameMoved {
    NameMovesUnseen() {
        sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
        REQUIRE(sales.in_step("warehouse"));
        world.passes(1min);
        world.stops();
        world.passes(5s);
        name_moves();
    }

    void check_first_keeps_it() {
        world.starts();
        CHECK(sales.in_step("warehouse", 70s));
        sales.writes("db", "bravo");
        CHECK(world.omni_gets(first, "bravo"));
        CHECK(sales.in_step("warehouse"));
        CHECK(sales.status_text("warehouse", {"connectionID"}) == first);
        CHECK(omni.sent(second).empty());
    }
};

} // namespace

TEST_SUITE_BEGIN("a name moves in Omni");

TEST_CASE_FIXTURE(NameMoved, "before an object names it") {
    name_moves();
    sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
    check_second_gets_it();
    CHECK(omni.sent(first).empty());
}

TEST_CASE_FIXTURE(NameMoved, "before an object is changed to name it") {
    sales.applies({.name = "warehouse", .by_name = "Lake", .secret = "db"});
    REQUIRE(sales.in_step("warehouse"));
    name_moves();
    sales.changes("warehouse", {{"connectionName", "Warehouse"}});
    check_second_gets_it();
    CHECK(omni.sent(first).empty());
}

TEST_CASE_FIXTURE(NameMoved, "before its object is made again") {
    sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
    REQUIRE(sales.in_step("warehouse"));
    name_moves();
    sales.deletes("warehouse");
    sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
    check_second_gets_it();
    CHECK(omni.sent(first) == "alfa");
}

TEST_CASE_FIXTURE(NameMoved, "before its object turns to another OmniInstance") {
    sales.applies_instance({.name = "omni-2", .key = "another-key", .key_secret = "key-2"});
    sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
    REQUIRE(sales.in_step("warehouse"));
    name_moves();
    sales.changes("warehouse", {{"instanceRef", bj::object{{"name", "omni-2"}}}});
    check_second_gets_it();
    CHECK(omni.sent(first) == "alfa");
}

TEST_CASE_FIXTURE(NameMoved, "while its object names a connection by its ID") {
    sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
    REQUIRE(sales.in_step("warehouse"));
    const auto other = omni.creates("Other");
    sales.changes("warehouse", {{"connectionName", nullptr}, {"connectionID", other}});
    REQUIRE(world.omni_gets(other, "alfa"));
    name_moves();
    sales.changes("warehouse", {{"connectionID", nullptr}, {"connectionName", "Warehouse"}});
    check_second_gets_it();
    CHECK(omni.sent(first) == "alfa");
}

TEST_CASE_FIXTURE(NameMoved,
                  "before its object turns to another OmniInstance and back, unlooked at") {
    sales.applies_instance({.name = "omni-2", .key = "another-key", .key_secret = "key-2"});
    sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
    REQUIRE(sales.in_step("warehouse"));
    name_moves();
    omni.answers_take(6s);
    sales.writes("db", "bravo");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    sales.changes("warehouse", {{"instanceRef", bj::object{{"name", "omni-2"}}}});
    world.passes(3s);
    sales.changes("warehouse", {{"instanceRef", bj::object{{"name", "omni"}}}});
    world.passes(2s);
    omni.answers_take(50ms);
    CHECK(world.omni_gets(second, "bravo", 30s));
    CHECK(sales.in_step("warehouse"));
    CHECK(omni.sent(first) == "alfa bravo");
}

TEST_CASE_FIXTURE(NameMoved, "before two share it no more") {
    second = omni.creates("Warehouse");
    sales.applies({.name = "older", .by_name = "Warehouse", .role = "VIEWER"});
    REQUIRE(sales.sees("older", "ConnectionNameAmbiguous"));
    omni.renames(first, "Warehouse, before 2026");
    sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
    check_second_gets_it();
}

TEST_CASE_FIXTURE(NameMoved, "after it was pinned: the credential stays where it was") {
    sales.applies({.name = "warehouse", .by_name = "Warehouse", .secret = "db"});
    REQUIRE(sales.in_step("warehouse"));
    name_moves();
    sales.writes("db", "bravo");
    CHECK(world.omni_gets(first, "bravo"));

    world.stops();
    world.passes(12s);
    world.starts();
    sales.writes("db", "charlie");
    CHECK(world.omni_gets(first, "charlie"));
    CHECK(sales.in_step("warehouse"));
    CHECK(omni.sent(second).empty());
}

TEST_CASE_FIXTURE(NameMovesUnseen, "while no process runs") {
    check_first_keeps_it();
    CHECK(omni.sent(first) == "alfa bravo");
}

TEST_CASE_FIXTURE(NameMovesUnseen,
                  "while no process runs, and something else of its object changes") {
    sales.changes("warehouse", {{"driftCheckInterval", "2h"}});
    check_first_keeps_it();
    CHECK(omni.sent(first) == "alfa bravo");
}

TEST_CASE_FIXTURE(NameMovesUnseen, "while no process runs, and its object has a role as well") {
    sales.changes("warehouse", {{"baseRole", "MODELER"}});
    check_first_keeps_it();
    CHECK(omni.role(first) == "MODELER");
    CHECK(omni.role(second) != "MODELER");
}

TEST_CASE_FIXTURE(NameMovesUnseen, "while no process runs, and the Secret is rotated") {
    sales.changes("warehouse", {{"driftCheckInterval", "2h"}});
    sales.writes("db", "charlie");
    check_first_keeps_it();
    CHECK(omni.sent(first) == "alfa charlie bravo");
}

TEST_CASE_FIXTURE(NameMovesUnseen, "while no process runs, and its OmniInstance changes") {
    sales.changes_instance({{"rateLimit", bj::object{{"requestsPerMinute", 500}}}});
    check_first_keeps_it();
}

TEST_CASE_FIXTURE(NameMovesUnseen,
                  "while no process runs, and its object is suspended for a while") {
    sales.changes("warehouse", {{"suspend", true}});
    world.starts();
    REQUIRE(sales.sees("warehouse", "Suspended", 70s));
    world.passes(1min);
    world.stops();
    world.passes(5s);
    sales.changes("warehouse", {{"suspend", false}});
    check_first_keeps_it();
    CHECK(omni.sent(first) == "alfa bravo");
}

TEST_CASE_FIXTURE(NameMovesUnseen, "while no process runs, and the object names another") {
    sales.changes("warehouse", {{"connectionName", "Lake"}});
    world.starts();
    CHECK(sales.in_step("warehouse", 70s));
    CHECK(sales.status_text("warehouse", {"connectionID"}) != first);
    CHECK(omni.sent(first) == "alfa");
    CHECK(omni.sent(second).empty());
}

TEST_SUITE_END();
