// Secrets that are replaced, rewritten all the time, or deleted while they are being read.
#include "in_step.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

TEST_SUITE_BEGIN("a restless Secret");

TEST_CASE_FIXTURE(InStep, "that is deleted and created again within a second is no news") {
    sales.deletes_secret("db");
    sales.deletes_secret("key");
    world.passes(700ms);
    sales.writes("db", "beta");
    sales.changes_key(sales.key());
    CHECK(world.omni_gets(warehouse, "beta", 2s));
    world.passes(10s);
    CHECK(sales.in_step("warehouse"));
    for (const char* reason : {"SecretNotFound", "InstanceNotReady"})
        CHECK(world.warned(reason) == 0);
}

TEST_CASE_FIXTURE(InStep, "that stays away is reported") {
    sales.deletes_secret("db");
    CHECK(sales.sees("warehouse", "SecretNotFound", 3s));
    world.passes(1s);
    CHECK(world.warned("SecretNotFound") == 1);
}

TEST_CASE_FIXTURE(InStep, "that two tools label in turn costs few requests") {
    const auto before = world.kube.counts.requests;
    for (int i = 0; i < 1200; ++i) {
        world.passes(500ms);
        world.kube.merge(
            "secrets", "sales", "db",
            {{"metadata", bj::object{{"labels", bj::object{{"tool", i % 2 == 0 ? "a" : "b"}}}}}});
    }
    // Of these, 300 renew the Lease.
    CHECK(world.kube.counts.requests - before < 700);
    sales.writes("db", "beta");
    CHECK(world.omni_gets(warehouse, "beta", 6s));
    CHECK(world.omni.sent(warehouse) == "alpha beta");
}

TEST_CASE_FIXTURE(InStep, "that is deleted during its first read is missing") {
    sales.writes("late", "beta");
    world.secret_read_takes("sales", "late", 2s);
    sales.changes("warehouse", Tenant::credential_from("late"));
    world.passes(1s);
    sales.deletes_secret("late");
    CHECK(sales.sees("warehouse", "SecretNotFound", 10s));
}

TEST_SUITE_END();
