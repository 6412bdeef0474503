// Two operators are installed, each with its own namespace, Lease and digest key, and both watch
// the same objects.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

TEST_SUITE_BEGIN("two installs");

TEST_CASE("that write the same status do it less and less, and say so") {
    World world;
    const auto warehouse = world.omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");
    sales.applies_instance();
    sales.writes("db", "alpha");
    sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
    world.installs("gamma", "operator-2");
    world.starts("alpha");
    REQUIRE(sales.in_step("warehouse"));
    world.starts("gamma");
    world.passes(10min);
    CHECK(world.warned("StatusContested") > 0);
    const std::string pages = world.readiness("alpha") + world.readiness("gamma");
    CHECK(pages.find("a second operator") != std::string::npos);
    std::size_t writes = 0;
    const auto version = [&] {
        return world.version("sales", "warehouse");
    };
    for (auto [i, last] = std::pair(0, version()); i < 600; ++i) {
        world.passes(1s);
        if (version() != std::exchange(last, version()))
            ++writes;
    }
    CHECK(writes < 20);
}

TEST_SUITE_END();
