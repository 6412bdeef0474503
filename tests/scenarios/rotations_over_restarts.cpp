// Rotations while things restart: none is lost, and nothing is turned back.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct TenConnections {
    static constexpr int connections = 10;

    World world;
    Omni& omni = world.omni;
    Tenant& sales = world.tenant("sales");
    std::vector<std::string> ids;

    TenConnections() {
        sales.applies_instance();
        rotates("r0");
        for (int i = 0; i < connections; ++i) {
            ids.push_back(omni.creates("Warehouse " + std::to_string(i)));
            sales.applies({.name = name(i), .id = ids.back(), .secret = name(i)});
        }
        world.starts();
        REQUIRE(arrives("r0", 20s));
        world.passes(1min);
    }

    static std::string name(int i) { return "warehouse-" + std::to_string(i); }

    void rotates(const std::string& rotation) {
        for (int i = 0; i < connections; ++i)
            sales.writes(name(i), rotation);
    }

    [[nodiscard]] bool arrives(const std::string& rotation, oco::rt::Duration within) {
        return world.happens(
            [&] {
                return std::ranges::all_of(
                    ids, [&](const auto& id) { return omni.held(id) == rotation; });
            },
            within);
    }

    void check_all_in_step() {
        for (int i = 0; i < connections; ++i)
            CHECK(sales.in_step(name(i), 2min));
    }
};

} // namespace

TEST_SUITE_BEGIN("rotations over restarts");

TEST_CASE_FIXTURE(TenConnections, "just before SIGTERM") {
    rotates("r1");
    world.stops();
    world.passes(5s);
    world.starts();
    CHECK(arrives("r1", 20s));
    check_all_in_step();
}

TEST_CASE_FIXTURE(TenConnections, "just before SIGKILL, between requests and answers") {
    omni.answers_take(8s);
    rotates("r1");
    world.passes(500ms);
    world.kills();
    omni.answers_take(50ms);
    world.starts();
    CHECK(arrives("r1", 45s));
    rotates("r2");
    CHECK(arrives("r2", 20s));
    check_all_in_step();
}

TEST_CASE_FIXTURE(TenConnections, "while no process runs") {
    world.stops();
    world.passes(1h);
    rotates("r1");
    rotates("r2");
    world.starts();
    CHECK(arrives("r2", 20s));
    check_all_in_step();
    CHECK(omni.sent(ids[0]) == "r0 r2");
}

TEST_CASE_FIXTURE(TenConnections, "while the API server restarts") {
    world.kube_goes_away();
    world.passes(3s);
    rotates("r1");
    world.passes(3s);
    world.kube_recovers();
    CHECK(arrives("r1", 45s));
    check_all_in_step();
    CHECK(omni.sent(ids[0]) == "r0 r1");
}

TEST_CASE_FIXTURE(TenConnections, "quickly, while a request is under way: two requests") {
    omni.answers_take(3s);
    rotates("r1");
    REQUIRE(arrives("r1", 1s));
    for (const char* rotation : {"r2", "r3", "r4", "r5", "r6"})
        rotates(rotation);
    CHECK(arrives("r6", 10s));
    check_all_in_step();
    CHECK(omni.sent(ids[0]) == "r0 r1 r6");
}

TEST_CASE_FIXTURE(TenConnections, "every second for ten minutes: one in five seconds") {
    for (int i = 1; i <= 600; ++i) {
        sales.writes(name(0), "r" + std::to_string(i));
        world.passes(1s);
    }
    CHECK(world.omni_gets(ids[0], "r600", 10s));
    CHECK(omni.count(RequestKind::push) <= connections + 3 + 600 / 5 + 2);
    CHECK(omni.count(RequestKind::push) >= connections + 600 / 5 - 2);
    check_all_in_step();
}

TEST_CASE_FIXTURE(TenConnections, "that never come: restarts send nothing") {
    for (int time = 0; time < 4; ++time) {
        const auto note = std::to_string(time);
        sales.annotates(name(0), "example.com/time", note);
        world.kube.merge("secrets", "sales", name(0),
                         {{"metadata", bj::object{{"labels", bj::object{{"time", note}}}}}});
        sales.writes(name(0), note, "of-no-concern");
        world.passes(20min);
        world.stops();
        world.passes(5s);
        world.starts();
    }
    world.passes(1min);
    CHECK(omni.count(RequestKind::push) == connections);
    check_all_in_step();
}

TEST_SUITE_END();
