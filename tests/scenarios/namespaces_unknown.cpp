// An OmniInstance selects namespaces by their labels, and the labels cannot be read when a process
// begins. Who held a connection goes on for a minute, and nobody else sends.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// The older object uses an OmniInstance of the platform's team, which selects its namespace.
struct Selected : Rivals {
    Tenant& platform = world.tenant("platform");

    Selected() {
        platform.applies_instance({.allows = namespaces_of_team("red")});
        older.joins("red");
        younger.applies_instance();
        both_apply({.instance_of = "platform"});
        world.starts("alpha");
        REQUIRE(older_holds());
    }

    void restarts_without_namespaces() {
        world.stops("alpha");
        world.passes(1s);
        world.kube_fails("namespaces");
        world.starts("alpha");
        world.passes(20s);
    }
};

} // namespace

TEST_SUITE_BEGIN("namespaces are unknown");

TEST_CASE_FIXTURE(Selected, "at a restart: all stays as it is") {
    restarts_without_namespaces();
    CHECK(younger.reason("warehouse") == "ConnectionConflict");
    CHECK(older.vouched("warehouse") == "old");
    world.kube_recovers();
    world.passes(2min);
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(Selected, "at a restart: who held goes on") {
    restarts_without_namespaces();
    older.writes("db", "old-2");
    CHECK(world.omni_gets(warehouse, "old-2", 5s));
    world.kube_recovers();
    world.passes(2min);
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old old-2");
}

TEST_CASE_FIXTURE(Selected, "at a take-over") {
    world.starts("beta");
    world.passes(5s);
    world.kube_fails("namespaces");
    world.stops("alpha");
    world.passes(20s);
    CHECK(world.leader() == "beta");
    world.kube_recovers();
    world.passes(2min);
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(Selected, "while a process works: all stays as it is") {
    world.kube_fails("namespaces");
    older.writes("db", "old-2");
    CHECK(world.omni_gets(warehouse, "old-2", 5s));
    world.passes(10min);
    world.kube_recovers();
    world.passes(2min);
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old old-2");
}

TEST_CASE_FIXTURE(Selected, "at a restart, in which the label went away") {
    restarts_without_namespaces();
    older.joins("nobody");
    world.kube_recovers();
    CHECK(older.sees("warehouse", "NamespaceNotAllowed", 40s)); // the watch comes back
    CHECK(younger.in_step("warehouse", 70s));
    CHECK(omni.sent(warehouse) == "old young");
}

TEST_CASE_FIXTURE(Selected, "for good: after a minute the connection is another's") {
    restarts_without_namespaces();
    world.passes(2min);
    CHECK(older.ready("warehouse") == "False");
    CHECK(younger.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "old young");
}

TEST_CASE("they cannot be listed: an OmniInstance of another namespace may exist or not") {
    World world;
    const auto warehouse = world.omni.creates("Warehouse");
    Tenant& platform = world.tenant("platform");
    Tenant& sales = world.tenant("sales");
    platform.applies_instance({.name = "of-others"}); // its own namespace only
    platform.applies_instance({.name = "by-label", .allows = namespaces_of_team("red")});
    sales.writes("db", "alfa");
    for (const char* instance : {"of-others", "by-label", "absent"})
        sales.applies({.name = instance,
                       .id = warehouse,
                       .secret = "db",
                       .instance = instance,
                       .instance_of = "platform"});
    world.kube_fails("namespaces");
    world.starts();
    world.passes(30s);
    const auto said = [&](const char* connection) {
        return sales.reason(connection) + ": " + sales.message(connection);
    };
    CHECK(said("absent").starts_with("NamespaceNotAllowed: cannot check whether"));
    CHECK(said("of-others") == said("absent"));
    CHECK(said("by-label") == said("absent"));
}

TEST_SUITE_END();
