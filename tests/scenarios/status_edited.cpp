// The status is the operator's. Somebody edits or wipes it, or the key that digests are made with.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct Vouching {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    Vouching() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        world.passes(1min);
    }

    void somebody_wipes_the_status() {
        world.kube.merge("omniconnections", "sales", "warehouse",
                         {{"status", bj::object{{"applied", nullptr},
                                                {"conditions", nullptr},
                                                {"connectionID", nullptr},
                                                {"lastPushTime", nullptr},
                                                {"observedGeneration", -1}}}});
    }

    void somebody_replaces_the_digest_key() {
        REQUIRE(world.kube.remove("secrets", std::string(oco::sim::operator_namespace),
                                  "omni-connection-operator-digest-key"));
    }

    void restarts() {
        world.stops();
        world.passes(5s);
        world.starts();
        world.passes(30s);
    }
};

} // namespace

TEST_SUITE_BEGIN("somebody edits the status");

TEST_CASE_FIXTURE(Vouching, "while the operator runs: it is written again") {
    somebody_wipes_the_status();
    CHECK(sales.in_step("warehouse"));
    CHECK(sales.vouched("warehouse") == "alfa");
    world.passes(20min);
    CHECK(omni.sent(warehouse) == "alfa");
}

TEST_CASE_FIXTURE(Vouching, "and the Secret is older than it says, as from a backup: it is sent") {
    world.stops();
    world.passes(5s);
    world.kube.merge(
        "omniconnections", "sales", "warehouse",
        {{"status",
          bj::object{{"applied", bj::object{{"credential", bj::object{{"secretResourceVersion",
                                                                       "99999999"}}}}}}}});
    world.starts();
    CHECK(world.happens([&] { return omni.sent(warehouse) == "alfa alfa"; }, 2min));
    CHECK(sales.in_step("warehouse"));
}

TEST_CASE_FIXTURE(Vouching, "while nobody looks: all is sent once") {
    world.stops();
    world.passes(5s);
    somebody_wipes_the_status();
    world.starts();
    CHECK(sales.in_step("warehouse", 30s));
    world.passes(20min);
    CHECK(omni.sent(warehouse) == "alfa alfa");
}

// The older object has proved its claim, though its status does not say so any more.
TEST_CASE_FIXTURE(Rivals, "of who holds a connection: a rival does not get it") {
    older.applies_instance();
    younger.applies_instance();
    both_apply();
    world.starts();
    REQUIRE(older_holds());
    world.stops();
    world.passes(5s);
    world.kube.merge("omniconnections", "team-b", "warehouse",
                     {{"status", bj::object{{"applied", nullptr}, {"connectionID", nullptr}}}});
    omni.lists_take(older.key(), 3s);
    world.starts();
    CHECK(older.in_step("warehouse", 30s));
    CHECK(younger.reason("warehouse") == "ConnectionConflict");
    CHECK(omni.sent(warehouse) == "old old");
}

TEST_CASE_FIXTURE(Vouching, "or the digest key: what did not change is not sent") {
    world.stops();
    world.passes(5s);
    somebody_replaces_the_digest_key();
    world.starts();
    world.passes(1min);
    CHECK(sales.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "alfa");
    restarts();
    CHECK(omni.sent(warehouse) == "alfa");
}

TEST_CASE_FIXTURE(Vouching, "or the digest key: what changed meanwhile is sent") {
    world.stops();
    world.passes(5s);
    somebody_replaces_the_digest_key();
    sales.writes("db", "bravo");
    world.starts();
    CHECK(sales.in_step("warehouse", 30s));
    CHECK(omni.sent(warehouse) == "alfa bravo");
}

TEST_CASE_FIXTURE(Vouching, "or the digest key: who has a Secret made again is sent to") {
    world.stops();
    world.passes(5s);
    somebody_replaces_the_digest_key();
    sales.deletes_secret("db");
    sales.writes("db", "alfa"); // whether it is the same cannot be seen
    world.starts();
    CHECK(sales.in_step("warehouse", 30s));
    CHECK(omni.sent(warehouse) == "alfa alfa");
}

TEST_SUITE_END();
