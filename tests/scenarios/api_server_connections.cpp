// The way to the API server: connections that are cut or go silent, and a server that was restored
// from a backup.
#include "in_step.hpp"
#include "sim/kube_rules.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

TEST_SUITE_BEGIN("connections to the API server");

TEST_CASE_FIXTURE(InStep, "that are cut while they are silent are opened again at once") {
    std::string value = "alpha";
    for (int i = 0; i < 20; ++i) {
        world.passes(35s);
        world.kube_connections_break();
        sales.writes("db", value += "-2");
        CHECK(world.omni_gets(warehouse, value, 2s));
    }
    CHECK(world.logged("watch interrupted") == 0);
}

TEST_CASE_FIXTURE(InStep, "that go silent are given up within a minute") {
    world.passes(10s);
    world.kube_connections_go_silent();
    sales.writes("db", "beta");
    CHECK(world.omni_gets(warehouse, "beta", 60s));
}

TEST_CASE_FIXTURE(InStep, "lead to one that was restored from a backup") {
    world.passes(1min);
    world.kube.back_up();
    for (const auto* value : {"beta", "gamma"}) {
        sales.writes("db", value);
        REQUIRE(world.omni_gets(warehouse, value));
        world.passes(1min);
    }
    world.kube_is_restored();
    world.passes(3s);
    sales.writes("db", "delta"); // at a version that was there before
    CHECK(world.omni_gets(warehouse, "delta", 60s));
    CHECK(world.logged("at an older version than before") > 0);
    CHECK(sales.in_step("warehouse"));
}

TEST_CASE_FIXTURE(InStep, "lead to one that was restored from a backup, and the Lease was lost") {
    world.passes(1min);
    world.kube.back_up();
    const std::string before = world.omni.held(warehouse);
    sales.writes("db", "beta");
    REQUIRE(world.omni_gets(warehouse, "beta"));
    world.passes(1min);
    world.kube_goes_away();
    world.passes(25s);
    world.kube_is_restored(); // Secret and status agree, and Omni holds something newer
    world.kube_recovers();
    CHECK(world.omni_gets(warehouse, before, 60s));
    CHECK(sales.in_step("warehouse", 2min));
    CHECK(world.logged("the Lease is lost: beginning again") == 1);
    CHECK(world.logged("no status is believed") == 1);
}

TEST_CASE_FIXTURE(InStep, "end the process where a watch meets a defect: the next one works") {
    world.passes(10s);
    const auto lease = [&] {
        return oco::sim::text_at(*world.kube.all("leases").front(),
                                 {"metadata", "resourceVersion"});
    };
    REQUIRE(world.happens([&, then = lease()] { return lease() != then; })); // just renewed
    world.a_watch_meets_a_defect();
    world.passes(1s);
    CHECK(world.logged("unexpected exception: stopping") == 1);
    sales.writes("db", "beta");
    CHECK(world.omni_gets(warehouse, "beta", 30s));
}

TEST_SUITE_END();
