// Two namespaces are watched (--namespace), and the rights in one of them are missing: that stops
// only itself. The younger object is where nothing is missing.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

const std::string forbidden = "team-b"; // the older object's
const std::string back_by_itself = "the namespace can be watched again";
constexpr std::chrono::seconds back_within = 40s;

struct Watched : Rivals {
    std::string lake = omni.creates("Lake");

    Watched() {
        world.watches({"team-a", "team-b"});
        older.applies_instance();
        younger.applies_instance();
        younger.writes("lake", "clear");
        younger.applies({.name = "lake", .id = lake, .secret = "lake"});
    }

    // The older object holds the warehouse; then the process ends.
    void held_before() {
        both_apply();
        world.starts();
        REQUIRE(older_holds());
        REQUIRE(younger.in_step("lake"));
        world.stops();
        world.passes(2s);
    }

    void starts_without_it(const std::string& plural = "") {
        world.kube_forbids(forbidden, plural);
        world.starts();
        world.passes(5s);
    }
};

} // namespace

TEST_SUITE_BEGIN("a namespace is forbidden");

TEST_CASE_FIXTURE(Watched, "at a restart: another works, and all is reported") {
    held_before();
    starts_without_it();
    younger.writes("lake", "murky");
    CHECK(world.omni_gets(lake, "murky", 2s));
    CHECK(world.readiness().starts_with("200 "));
    CHECK(world.readiness().find("in namespace team-b") != std::string::npos);
    CHECK(world.metrics().find("omni_namespace_synced{watched_namespace=\"team-a\"} 1") !=
          std::string::npos);
    CHECK(world.metrics().find("omni_namespace_synced{watched_namespace=\"team-b\"} 0") !=
          std::string::npos);
    world.passes(20min);
    CHECK(world.logged("omniconnections in namespace team-b") <=
          2); // as it is refused, and at sync
}

TEST_CASE_FIXTURE(Watched, "at a restart: what is new there waits a minute, and works") {
    held_before();
    starts_without_it();
    const auto pond = omni.creates("Pond");
    younger.applies({.name = "pond", .id = pond, .secret = "db"});
    world.passes(45s);
    CHECK(omni.sent(pond).empty());
    CHECK(world.omni_gets(pond, "young", 20s));
}

TEST_CASE_FIXTURE(Watched, "at a restart: an older claimant there is waited for") {
    held_before();
    starts_without_it();
    world.passes(20s);
    CHECK(omni.sent(warehouse) == "old");
    world.kube_recovers();
    CHECK(world.happens([&] { return world.logged(back_by_itself) > 0; }, back_within));
    world.passes(2min);
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(Watched, "for good: after a minute the connection is another's, until then") {
    held_before();
    starts_without_it();
    world.passes(2min);
    CHECK(younger.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "old young");
    world.kube_recovers();
    CHECK(world.omni_gets(warehouse, "old", back_within));
    CHECK(older_holds());
    CHECK(world.readiness() == "200 ok\n");
}

TEST_CASE_FIXTURE(Watched, "for good, and who took the connection over is gone before it is back") {
    held_before();
    starts_without_it();
    world.passes(2min);
    REQUIRE(omni.sent(warehouse) == "old young");
    younger.deletes("warehouse");
    world.kube_recovers();
    CHECK(world.omni_gets(warehouse, "old", back_within));
    CHECK(older.in_step("warehouse"));
}

TEST_CASE_FIXTURE(Watched,
                  "until the next start: both statuses vouch, and the older is sent again") {
    held_before();
    starts_without_it();
    world.passes(2min);
    REQUIRE(younger.in_step("warehouse"));
    world.stops();
    world.passes(2s);
    world.kube_recovers();
    world.starts();
    CHECK(world.omni_gets(warehouse, "old"));
    CHECK(older_holds());
}

TEST_CASE_FIXTURE(Watched, "from the first start: it is taken up when it comes") {
    older_applies();
    starts_without_it();
    CHECK(younger.in_step("lake", 70s));
    world.kube_recovers();
    CHECK(older.in_step("warehouse", back_within));
    older.writes("db", "old-2");
    CHECK(world.omni_gets(warehouse, "old-2", 2s));
}

TEST_CASE_FIXTURE(Watched, "all of them: nobody is ready") {
    world.kube_forbids("team-a");
    starts_without_it();
    CHECK(world.readiness().starts_with("503 "));
    world.kube_recovers();
    CHECK(younger.in_step("lake", 2min));
}

TEST_CASE_FIXTURE(Watched, "its Secrets alone: its objects say so") {
    held_before();
    starts_without_it("secrets");
    CHECK(older.reason("warehouse") == "NamespaceNotAllowed");
    CHECK(older.message("warehouse").find("secrets in namespace team-b") != std::string::npos);
    CHECK(older.instance_reason() == "NamespaceNotAllowed");
    CHECK(younger.in_step("lake"));
    world.kube_recovers();
    CHECK(older.in_step("warehouse", back_within));
    CHECK(omni.sent(warehouse) == "old"); // what it holds was not given up
}

TEST_CASE_FIXTURE(Watched, "while a process works: its objects say so, once it lasts") {
    both_apply();
    world.starts();
    REQUIRE(older_holds());
    world.kube_forbids(forbidden, "secrets");
    younger.writes("lake", "murky");
    CHECK(world.omni_gets(lake, "murky", back_within));
    CHECK(older.reason("warehouse") == "Synced");
    CHECK(older.sees("warehouse", "NamespaceNotAllowed", 2min));
    world.kube_recovers();
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(Watched, "at a take-over: the new leader works elsewhere") {
    both_apply();
    world.starts("alpha");
    REQUIRE(older_holds());
    world.starts("beta");
    world.passes(5s);
    world.kube_forbids(forbidden);
    world.stops("alpha");
    world.passes(20s);
    CHECK(world.leader() == "beta");
    younger.writes("lake", "murky");
    CHECK(world.omni_gets(lake, "murky", 2s));
    world.kube_recovers();
    CHECK(world.happens([&] { return older.reason("warehouse") == "Synced"; }, back_within));
    world.passes(1min);
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(Watched, "that has the OmniInstance of another's object: that object waits") {
    older.changes_instance({{"allowedNamespaces", all_namespaces()}});
    younger.applies({.name = "far", .id = warehouse, .secret = "db", .instance_of = forbidden});
    world.starts();
    REQUIRE(younger.in_step("far"));
    world.stops();
    world.passes(2s);
    starts_without_it();
    CHECK(younger.reason("far") == "NamespaceNotAllowed");
    CHECK(younger.vouched("far") == "young");
    world.kube_recovers();
    CHECK(younger.in_step("far", back_within));
    CHECK(omni.sent(warehouse) == "young");
}

TEST_SUITE_END();
