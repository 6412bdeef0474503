// A connection is an id at a host. An OmniInstance may move to another host, where the same id is
// another connection, and back.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// The same id is there at both hosts, and the key is good at both.
struct TwoHosts : Rivals {
    Omni& other = world.other_omni;

    TwoHosts() {
        REQUIRE(other.creates("Warehouse") == warehouse);
        other.accepts(older.key());
        older.applies_instance();
        younger.applies_instance();
    }

    void moves_to(const std::string& host) {
        older.changes_instance({{"baseURL", "http://" + host}});
    }

    [[nodiscard]] bool other_gets(const std::string& value, oco::rt::Duration within = 10s) {
        return world.happens([&] { return other.held(warehouse) == value; }, within);
    }
};

} // namespace

TEST_SUITE_BEGIN("another host");

TEST_CASE_FIXTURE(TwoHosts, "has connections of its own: no conflict") {
    older.applies_instance({.host = other_host});
    both_apply();
    world.starts();
    CHECK(older.in_step("warehouse"));
    CHECK(younger.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "young");
    CHECK(other.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(TwoHosts, "gets all that is managed") {
    older_applies({.role = "VIEWER"});
    world.starts();
    REQUIRE(older.in_step("warehouse"));
    moves_to(other_host);
    CHECK(other_gets("old"));
    CHECK(other.role(warehouse) == "VIEWER");
    CHECK(older.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(TwoHosts, "for a while: the claim at the first is lost, and regained") {
    both_apply();
    world.starts();
    REQUIRE(older_holds());
    moves_to(other_host);
    REQUIRE(world.omni_gets(warehouse, "young", 70s));
    REQUIRE(other_gets("old"));
    moves_to(omni_host);
    CHECK(world.omni_gets(warehouse, "old", 70s));
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old young old");
}

TEST_CASE_FIXTURE(TwoHosts, "does not make what is late at the first forgotten") {
    both_apply();
    world.starts();
    REQUIRE(older_holds());
    omni.next_push(warehouse, done_after(40s));
    older.writes("db", "old-2");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    moves_to(other_host);
    CHECK(world.omni_gets(warehouse, "young", 70s));
    world.passes(3min);
    CHECK(omni.held(warehouse) == "young");
    CHECK(younger.in_step("warehouse"));
    CHECK(other.held(warehouse) == "old-2");
}

TEST_CASE_FIXTURE(TwoHosts, "is asked what a name means there") {
    other.renames(warehouse, "Another");
    const auto there = other.creates("Warehouse");
    older_applies({.by_name = "Warehouse"});
    world.starts();
    REQUIRE(older.in_step("warehouse"));
    moves_to(other_host);
    CHECK(world.happens([&] { return other.held(there) == "old"; }));
    CHECK(world.happens([&] { return older.status_text("warehouse", {"connectionID"}) == there; }));
    CHECK(other.sent(warehouse).empty());
}

TEST_SUITE_END();
