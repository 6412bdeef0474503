// Something is deleted and made again under the same name while the watches lag: what is known of
// the first says nothing of the second.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct WatchesLag {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    WatchesLag() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        applies();
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        world.passes(2min);
    }

    void applies() const {
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db", .role = "VIEWER"});
    }

    // Bravo is being sent for the object, which is another one when the answer comes.
    void object_is_made_again_while_bravo_is_sent(oco::rt::Duration answer_takes) {
        omni.answers_take(answer_takes);
        sales.writes("db", "bravo");
        REQUIRE(world.omni_is_asked(RequestKind::push));
        world.watches_lag(10s);
        sales.deletes("warehouse");
        applies();
        world.passes(answer_takes + 2s);
    }

    // An attempt that is repeated sees newer versions than the watch, which then tells that the
    // Secret was deleted: what it shows next is still not the newest. The promises look at what is
    // sent.
    void secret_is_made_again(oco::rt::Duration absent_for) {
        omni.each_push(warehouse, refused_with(503));
        sales.writes("db", "bravo");
        REQUIRE(sales.sees("warehouse", "OmniUnavailable"));
        world.watches_lag(1min);
        world.cache_lags();
        for (const char* value : {"charlie", "delta", "echo"}) {
            sales.deletes_secret("db");
            world.passes(absent_for);
            sales.writes("db", value);
            world.passes(1s);
        }
        omni.recovers();
        CHECK(world.omni_gets(warehouse, "echo", 90s));
        world.passes(3min);
        CHECK(omni.held(warehouse) == "echo");
        CHECK(sales.in_step("warehouse"));
    }

    void check_new_one_is_sent() {
        CHECK(sales.vouched("warehouse").empty()); // nothing was sent for this one
        world.watches_lag(0s);
        CHECK(sales.in_step("warehouse", 30s));
        CHECK(omni.sent(warehouse) == "alfa bravo bravo");
        CHECK(omni.roles_sent(warehouse) == "VIEWER VIEWER");
    }
};

} // namespace

TEST_SUITE_BEGIN("made again, and nobody has seen it");

TEST_CASE_FIXTURE(WatchesLag, "an OmniConnection, while a PATCH is under way") {
    object_is_made_again_while_bravo_is_sent(500ms);
    check_new_one_is_sent();
}

TEST_CASE_FIXTURE(WatchesLag, "an OmniConnection, while a PATCH has been silent for a second") {
    object_is_made_again_while_bravo_is_sent(4s);
    check_new_one_is_sent();
}

TEST_CASE_FIXTURE(WatchesLag, "an OmniConnection, and the process is told to stop") {
    object_is_made_again_while_bravo_is_sent(500ms);
    world.stops(); // and writes what the statuses lack
    world.passes(5s);
    CHECK(sales.vouched("warehouse").empty());
    world.watches_lag(0s);
    world.starts();
    CHECK(sales.in_step("warehouse", 70s));
    CHECK(omni.sent(warehouse) == "alfa bravo bravo");
}

TEST_CASE_FIXTURE(WatchesLag, "a Secret, more than once, each time at once") {
    secret_is_made_again(0s);
}

TEST_CASE_FIXTURE(WatchesLag, "a Secret, more than once, each time after a while") {
    secret_is_made_again(1s);
}

TEST_SUITE_END();
