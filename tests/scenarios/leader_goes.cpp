// The leader goes, in different ways, and a standby takes its place.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct TwoReplicas {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    TwoReplicas() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        world.starts("alpha");
        REQUIRE(sales.in_step("warehouse"));
        world.starts("beta");
        world.passes(2min);
        REQUIRE(world.leader() == "alpha");
    }

    bool leads(const std::string& replica, oco::rt::Duration within) {
        return world.happens([&] { return world.leader() == replica; }, within);
    }
};

} // namespace

TEST_SUITE_BEGIN("the leader goes");

TEST_CASE_FIXTURE(TwoReplicas, "by SIGTERM: the next sends within a second") {
    world.stops("alpha");
    sales.writes("db", "bravo");
    CHECK(world.omni_gets(warehouse, "bravo", 1s));
    CHECK(world.leader() == "beta");
    CHECK(sales.in_step("warehouse"));
}

TEST_CASE_FIXTURE(TwoReplicas, "later: until then a standby keeps no list of what is to be done") {
    for (int i = 0; i < 5; ++i) {
        const std::string name = "passing-" + std::to_string(i);
        sales.applies({.name = name, .id = omni.creates(name), .secret = "db"});
        world.passes(2s);
        sales.deletes(name);
        world.passes(2s);
    }
    for (const char* queue : {"omniconnection", "omniinstance"}) {
        const std::string depth = std::string("workqueue_depth{name=\"") + queue + "\"} 0\n";
        CHECK(world.metrics("beta").find(depth) != std::string::npos);
    }
}

TEST_CASE_FIXTURE(TwoReplicas, "by SIGKILL: the next leads when the Lease has run out") {
    world.kills("alpha");
    sales.writes("db", "bravo");
    world.passes(10s);
    CHECK(world.leader() == "alpha"); // by name
    CHECK(leads("beta", 10s));
    CHECK(world.omni_gets(warehouse, "bravo", 5s));
    CHECK(sales.in_step("warehouse", 2min));
}

TEST_CASE_FIXTURE(TwoReplicas, "by SIGKILL: one of no answer is known, and settles") {
    omni.next_push(warehouse, done_but_unanswered());
    sales.writes("db", "bravo");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    world.passes(2s);
    CHECK(sales.ready("warehouse") == "Unknown");
    CHECK(sales.vouched("warehouse").empty());
    world.kills("alpha");
    world.passes(30s);
    CHECK(omni.sent(warehouse) == "alfa bravo bravo");
    CHECK(sales.in_step("warehouse", 2min));
}

TEST_CASE_FIXTURE(TwoReplicas, "by SIGTERM, which cuts a request: it is recorded, and sent again") {
    omni.next_push(warehouse, done_but_unanswered());
    sales.writes("db", "bravo");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    world.stops("alpha");
    CHECK(leads("beta", 11s)); // it waits for an answer, and no Lease has to run out
    CHECK(sales.vouched("warehouse").empty());
    CHECK(world.happens([&] { return omni.sent(warehouse) == "alfa bravo bravo"; }, 5s));
    CHECK(sales.in_step("warehouse", 2min));
}

TEST_CASE_FIXTURE(TwoReplicas, "by SIGTERM, which a request outlasts: it is not sent again") {
    omni.answers_take(4s);
    sales.writes("db", "bravo");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    world.stops("alpha");
    CHECK(leads("beta", 8s));
    CHECK(sales.in_step("warehouse", 10s));
    world.passes(5min);
    CHECK(omni.sent(warehouse) == "alfa bravo");
}

TEST_CASE_FIXTURE(TwoReplicas, "and comes back: it stands by") {
    world.kills("alpha");
    CHECK(leads("beta", 20s));
    world.starts("alpha");
    world.passes(20min);
    CHECK(world.leader() == "beta");
    CHECK(omni.sent(warehouse) == "alfa");
}

TEST_CASE_FIXTURE(TwoReplicas, "not when somebody deletes the Lease") {
    world.kube.remove("leases", std::string(oco::sim::operator_namespace),
                      "omni-connection-operator");
    world.passes(10s);
    CHECK(world.leader() == "alpha");
    sales.writes("db", "bravo");
    CHECK(world.omni_gets(warehouse, "bravo", 1s));
    world.passes(20min);
    CHECK(world.leader() == "alpha");
    CHECK(omni.sent(warehouse) == "alfa bravo");
}

TEST_CASE_FIXTURE(TwoReplicas, "with the API server, for five minutes: nobody sends") {
    world.kube_goes_away();
    world.passes(15s);
    sales.writes("db", "bravo");
    world.passes(5min);
    CHECK(omni.sent(warehouse) == "alfa");
    world.kube_recovers();
    CHECK(world.omni_gets(warehouse, "bravo", 45s));
    CHECK(sales.in_step("warehouse", 2min));
}

TEST_CASE_FIXTURE(TwoReplicas, "not with the API server for five seconds") {
    world.kube_goes_away();
    world.passes(5s);
    world.kube_recovers();
    sales.writes("db", "bravo");
    CHECK(world.omni_gets(warehouse, "bravo", 10s));
    CHECK(world.leader() == "alpha");
    CHECK(sales.in_step("warehouse"));
}

TEST_SUITE_END();
