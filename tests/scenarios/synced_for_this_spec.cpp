// Synced with the generation of a new spec says that Omni has accepted what that spec needs, also
// when what an older one needed is accepted just then.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Bravo is on its way to the warehouse, and is accepted in half a second: before the status would
// say that it was sent.
struct BravoIsSent {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    std::string lake = omni.creates("Lake");
    Tenant& sales = world.tenant("sales");

    BravoIsSent() {
        sales.applies_instance();
        sales.applies_instance({.name = "omni-2", .key = "another-key", .key_secret = "key-2"});
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        world.passes(1min);
        omni.answers_take(500ms);
        omni.lists_take(4s);
        sales.writes("db", "bravo");
        REQUIRE(world.omni_is_asked(RequestKind::push));
    }

    // From the first moment on at which the status says so.
    [[nodiscard]] bool is_synced() { return sales.sees("warehouse", "Synced", 1min); }
};

} // namespace

TEST_SUITE_BEGIN("Synced is said of this spec");

TEST_CASE_FIXTURE(BravoIsSent, "which names another connection by its name") {
    sales.changes("warehouse", {{"connectionID", nullptr}, {"connectionName", "Lake"}});
    CHECK(is_synced());
    CHECK(omni.held(lake) == "bravo");
}

TEST_CASE_FIXTURE(BravoIsSent, "which names another connection by its id") {
    sales.changes("warehouse", {{"connectionID", lake}});
    CHECK(is_synced());
    CHECK(omni.held(lake) == "bravo");
}

TEST_CASE_FIXTURE(BravoIsSent, "which has a role as well") {
    sales.changes("warehouse", {{"baseRole", "MODELER"}});
    CHECK(is_synced());
    CHECK(omni.role(warehouse) == "MODELER");
}

TEST_CASE_FIXTURE(BravoIsSent, "which names another Secret, that takes time to read") {
    sales.writes("db-2", "charlie");
    world.secret_read_takes("sales", "db-2", 3s);
    sales.changes("warehouse", Tenant::credential_from("db-2"));
    CHECK(is_synced());
    CHECK(omni.held(warehouse) == "charlie");
}

TEST_CASE_FIXTURE(BravoIsSent, "which names another OmniInstance, and has a role as well") {
    omni.lists_take("another-key", 8s);
    sales.changes_instance({{"rateLimit", bj::object{{"requestsPerMinute", 500}}}}, "omni-2");
    sales.changes("warehouse",
                  {{"instanceRef", bj::object{{"name", "omni-2"}}}, {"baseRole", "MODELER"}});
    CHECK(is_synced());
    CHECK(omni.role(warehouse) == "MODELER");
}

TEST_CASE_FIXTURE(BravoIsSent, "and the operator is told to stop in between") {
    sales.changes("warehouse", {{"connectionID", nullptr}, {"connectionName", "Lake"}});
    world.passes(1s);
    world.stops();
    world.passes(5s);
    CHECK_FALSE(sales.sees("warehouse", "Synced", 1ms));
    world.starts();
    CHECK(is_synced());
    CHECK(omni.held(lake) == "bravo");
}

TEST_CASE_FIXTURE(Rivals, "whose new field an older object may hold: that is not known yet") {
    older.applies_instance();
    younger.applies_instance();
    older.applies({.name = "warehouse", .id = omni.creates("Lake"), .role = "VIEWER"});
    omni.lists_take(older.key(), 1h);
    world.passes(2s);
    younger_applies();
    world.starts();
    REQUIRE(younger.in_step("warehouse", 70s));
    world.passes(1min);
    older.changes("warehouse", {{"connectionID", warehouse}, {"baseRole", "VIEWER"}});
    world.passes(1s);
    omni.answers_take(500ms);
    younger.writes("db", "young-2");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    younger.changes("warehouse", {{"baseRole", "MODELER"}});
    CHECK(younger.sees("warehouse", "Synced", 2min)); // the promises look at the role
    CHECK(omni.role(warehouse) == "MODELER");
}

TEST_SUITE_END();
