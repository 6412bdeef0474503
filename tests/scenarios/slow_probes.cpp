// What somebody has to mend is looked at again every ten minutes, and what Omni refused is not sent
// again at all.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct OneConnection {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    OneConnection() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        world.starts();
        world.passes(1min);
    }

    void applies(const std::string& role = "") {
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db", .role = role});
    }

    void asks(const std::string& token) {
        sales.annotates("warehouse", "reconcile.omniconnection.io/requestedAt", token);
    }
};

} // namespace

TEST_SUITE_BEGIN("somebody has to mend it");

TEST_CASE_FIXTURE(OneConnection, "a value that Omni refused is not sent again in hours") {
    omni.each_push(warehouse, refused_with(400));
    applies();
    CHECK(sales.sees("warehouse", "Rejected"));
    world.passes(1h);
    world.stops();
    world.passes(5s);
    world.starts();
    world.passes(1h);
    CHECK(sales.reason("warehouse") == "Rejected");
    CHECK(omni.sent(warehouse) == "alfa");

    omni.recovers();
    sales.writes("db", "bravo");
    CHECK(sales.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "alfa bravo");
}

TEST_CASE_FIXTURE(OneConnection, "a role that Omni refused does not hold up a credential") {
    applies("QUERRIER");
    CHECK(sales.sees("warehouse", "Rejected"));
    CHECK(omni.held(warehouse) == "alfa");
    world.passes(1h);
    sales.writes("db", "bravo");
    CHECK(world.omni_gets(warehouse, "bravo"));
    CHECK(sales.sees("warehouse", "Rejected"));
    CHECK(omni.sent(warehouse) == "alfa alfa bravo"); // the first with the role
}

TEST_CASE_FIXTURE(OneConnection, "what Omni refused is sent once more when that is asked for") {
    omni.each_push(warehouse, refused_with(400));
    applies();
    REQUIRE(sales.sees("warehouse", "Rejected"));
    sales.annotates("warehouse", "reconcile.omniconnection.io/forceAt", "1");
    world.passes(1min);
    CHECK(omni.sent(warehouse) == "alfa alfa");
    CHECK(sales.reason("warehouse") == "Rejected");
    omni.recovers();
    sales.annotates("warehouse", "reconcile.omniconnection.io/forceAt", "2");
    CHECK(sales.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "alfa alfa alfa");
}

TEST_CASE_FIXTURE(OneConnection, "what is refused for another reason than the value heals") {
    for (const unsigned status : {402U, 405U, 413U, 423U, 451U}) {
        CAPTURE(status);
        omni.next_push(warehouse, refused_with(status));
        applies();
        sales.writes("db", "value-" + std::to_string(status));
        CHECK(world.omni_gets(warehouse, "value-" + std::to_string(status), 30s));
        CHECK(sales.in_step("warehouse"));
        world.passes(1min);
    }
}

TEST_CASE_FIXTURE(OneConnection, "a connection that the key may not change") {
    omni.restricts(sales.key(), {});
    applies();
    CHECK(sales.sees("warehouse", "Forbidden"));
    world.passes(60min);
    CHECK(omni.count(RequestKind::push) <= 7);
    CHECK(omni.count(RequestKind::push) >= 6);
    omni.accepts(sales.key());
    CHECK(world.omni_gets(warehouse, "alfa", 10min));
    CHECK(sales.in_step("warehouse"));
}

TEST_CASE_FIXTURE(OneConnection, "a connection that the key may not change: across a restart") {
    omni.restricts(sales.key(), {});
    applies();
    CHECK(sales.sees("warehouse", "Forbidden"));
    world.passes(3min);
    world.stops();
    world.passes(5s);
    world.starts();
    world.passes(5min);
    CHECK(omni.count(RequestKind::push) <= 2);
    omni.accepts(sales.key());
    CHECK(world.omni_gets(warehouse, "alfa", 6min));
}

TEST_CASE_FIXTURE(OneConnection, "or who has mended it asks for a reconcile") {
    omni.restricts(sales.key(), {});
    applies();
    CHECK(sales.sees("warehouse", "Forbidden"));
    omni.accepts(sales.key());
    asks("now");
    CHECK(world.omni_gets(warehouse, "alfa"));
    CHECK(sales.in_step("warehouse"));
    CHECK(sales.status_text("warehouse", {"lastHandledReconcileAt"}) == "now");
}

TEST_CASE_FIXTURE(OneConnection, "a connection that does not exist yet") {
    warehouse = omni.creates("Not shown by any list");
    omni.deletes(warehouse);
    applies();
    CHECK(sales.sees("warehouse", "ConnectionNotFound"));
    const auto lists = omni.count(RequestKind::list);
    world.passes(60min);
    CHECK(omni.count(RequestKind::list) - lists <= 7);
    CHECK(omni.sent(warehouse).empty());
    omni.restores(warehouse);
    CHECK(world.omni_gets(warehouse, "alfa", 10min + 5s));
    CHECK(sales.in_step("warehouse"));
}

TEST_CASE_FIXTURE(OneConnection, "requests of one object cost a list every ten seconds at most") {
    applies();
    REQUIRE(sales.in_step("warehouse"));
    const auto lists = omni.count(RequestKind::list);
    for (int i = 0; i < 240; ++i) {
        asks(std::to_string(i));
        world.passes(250ms);
    }
    world.passes(20s);
    CHECK(omni.count(RequestKind::list) - lists <= 8);
    CHECK(sales.status_text("warehouse", {"lastHandledReconcileAt"}) == "239");
}

TEST_SUITE_END();
