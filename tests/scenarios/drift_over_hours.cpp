// What others change in Omni is found by lists, one each interval for all, and set right.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Twenty roles are compared every ten minutes; one never is.
struct Compared {
    World world;
    Omni& omni = world.omni;
    Tenant& sales = world.tenant("sales");
    std::vector<std::string> ids;
    std::string ignored = omni.creates("Ignored");

    Compared() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        for (int i = 0; i < 20; ++i) {
            const auto number = std::to_string(i);
            ids.push_back(omni.creates("Warehouse " + number));
            sales.applies({.name = "warehouse-" + number,
                           .id = ids.back(),
                           .secret = "db",
                           .role = "VIEWER",
                           .drift_check_interval = "10m"});
        }
        sales.applies({.name = "ignored", .id = ignored, .role = "VIEWER"});
        world.starts();
        REQUIRE(world.happens([&] { return all_are_viewers(); }, 1min));
        world.passes(30s);
    }

    void others_change_all_roles() {
        for (const auto& id : ids)
            omni.sets_role(id, "MODELER");
        omni.sets_role(ignored, "MODELER");
    }

    [[nodiscard]] bool all_are_viewers() {
        return std::ranges::all_of(ids, [&](const auto& id) { return omni.role(id) == "VIEWER"; });
    }
};

} // namespace

TEST_SUITE_BEGIN("drift over hours");

TEST_CASE_FIXTURE(Compared, "is set right at the next list, one for all") {
    const auto lists = omni.count(RequestKind::list);
    others_change_all_roles();
    CHECK(world.happens([&] { return all_are_viewers(); }, 11min));
    CHECK(omni.count(RequestKind::list) <= lists + 2);
    for (const auto& id : ids) {
        CHECK(omni.roles_sent(id) == "VIEWER VIEWER");
        CHECK(omni.sent(id) == "alfa");
    }
    CHECK(omni.role(ignored) == "MODELER");
}

TEST_CASE_FIXTURE(Compared, "that comes again and again is set right each time") {
    for (int i = 0; i < 4; ++i) {
        others_change_all_roles();
        world.passes(20min);
        CHECK(all_are_viewers());
    }
    CHECK(omni.roles_sent(ids[0]) == "VIEWER VIEWER VIEWER VIEWER VIEWER");
}

TEST_CASE_FIXTURE(Compared, "that there is none costs a list each interval and nothing else") {
    const auto lists = omni.count(RequestKind::list);
    const auto pushes = omni.count(RequestKind::push);
    world.passes(2h);
    CHECK(omni.count(RequestKind::list) <= lists + 12);
    CHECK(omni.count(RequestKind::list) >= lists + 11);
    CHECK(omni.count(RequestKind::push) == pushes);
}

TEST_CASE_FIXTURE(Compared, "is found at once when somebody asks for a reconcile") {
    others_change_all_roles();
    sales.annotates("warehouse-0", "reconcile.omniconnection.io/requestedAt", "now");
    CHECK(world.happens([&] { return omni.role(ids[0]) == "VIEWER"; }));
}

TEST_CASE_FIXTURE(Compared, "that no correction mends is left alone") {
    omni.each_push(ids[0], pretended());
    omni.sets_role(ids[0], "MODELER");
    world.passes(1h);
    CHECK(omni.roles_sent(ids[0]) == "VIEWER VIEWER VIEWER");

    omni.recovers(); // and a new wish is sent
    sales.changes("warehouse-0", {{"baseRole", "QUERIER"}});
    CHECK(world.happens([&] { return omni.role(ids[0]) == "QUERIER"; }));
    CHECK(sales.in_step("warehouse-0"));
}

TEST_CASE_FIXTURE(Compared, "of a suspended object is left alone until it is resumed") {
    sales.changes("warehouse-0", {{"suspend", true}});
    world.passes(10s);
    others_change_all_roles();
    world.passes(30min);
    CHECK(omni.role(ids[0]) == "MODELER");
    sales.changes("warehouse-0", {{"suspend", false}});
    CHECK(world.happens([&] { return omni.role(ids[0]) == "VIEWER"; }, 11min));
}

TEST_SUITE_END();
