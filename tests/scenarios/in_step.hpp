// One connection of one tenant, in step.
#pragma once

#include "world.hpp"

#include <doctest/doctest.h>

namespace oco::scenarios {

struct InStep {
    World world;
    std::string warehouse = world.omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    InStep() {
        sales.applies_instance();
        sales.writes("db", "alpha");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
    }
};

} // namespace oco::scenarios
