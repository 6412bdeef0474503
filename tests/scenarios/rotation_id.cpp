// A pipeline writes a value with its rotation's id, waits until status.applied shows the id, and
// revokes the value before. So it may show only what Omni holds, for good.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct Rotation {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    Rotation() {
        sales.applies_instance();
        sales.rotates("db", "alfa", "r1");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        REQUIRE(shown() == "r1");
    }

    [[nodiscard]] std::string shown() const {
        return sales.status_text("warehouse", {"applied", "credential", "rotationID"});
    }

    [[nodiscard]] bool shows(const std::string& id, oco::rt::Duration within = 5s) {
        return world.happens([&] { return shown() == id; }, within);
    }
};

} // namespace

TEST_SUITE_BEGIN("a rotation's id");

TEST_CASE_FIXTURE(Rotation, "shows when Omni has answered") {
    omni.answers_take(4s);
    sales.rotates("db", "bravo", "r2");
    world.passes(3s);
    CHECK(shown() != "r2");
    CHECK(shows("r2", 2s));
    CHECK(omni.held(warehouse) == "bravo");
}

TEST_CASE_FIXTURE(Rotation, "does not show while a value before may still land") {
    omni.next_push(warehouse, done_after(40s));
    sales.rotates("db", "bravo", "r2");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    world.passes(2s);
    CHECK(shown().empty());
    sales.rotates("db", "charlie", "r3");
    REQUIRE(world.omni_gets(warehouse, "charlie", 15s));
    REQUIRE(world.omni_gets(warehouse, "bravo", 40s)); // it landed
    CHECK(shown().empty());
    CHECK(shows("r3", 70s));
    CHECK(omni.held(warehouse) == "charlie");
}

TEST_CASE_FIXTURE(Rotation, "shows for a value that needed no push") {
    sales.rotates("db", "alfa", "r2");
    CHECK(shows("r2"));
    CHECK(sales.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "alfa");
}

TEST_CASE_FIXTURE(Rotation, "does not show for a value that Omni refuses") {
    omni.each_push(warehouse, refused_with(400));
    sales.rotates("db", "bravo", "r2");
    CHECK(sales.sees("warehouse", "Rejected"));
    world.passes(1h);
    CHECK(shown() == "r1");
    CHECK(omni.held(warehouse) == "alfa");
}

TEST_CASE_FIXTURE(Rotation, "does not show while the claim is lost") {
    sales.deletes_instance();
    world.passes(5s);
    sales.rotates("db", "bravo", "r2");
    world.passes(1min);
    CHECK(shown().empty());
    sales.applies_instance();
    CHECK(shows("r2", 10s));
    CHECK(omni.held(warehouse) == "bravo");
}

TEST_SUITE_END();
