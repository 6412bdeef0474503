// What the users of the simulated world do: to Secrets, to OmniConnections, to OmniInstances and
// namespaces, and in Omni itself. Much of it is taken back, often within seconds.
#pragma once

#include "coverage.hpp"
#include "world.hpp"

#include <span>
#include <string>

namespace oco::sim {

struct UserAction {
    int weight; // how often it is chosen
    // What was done; empty: there was nothing to do it to.
    std::string (*act)(World& world, Coverage& coverage);
};

std::span<const UserAction> secret_actions();
std::span<const UserAction> object_actions();
std::span<const UserAction> instance_actions();
std::span<const UserAction> omni_actions();

// One of all these.
std::string act(World& world, Coverage& coverage);

} // namespace oco::sim
