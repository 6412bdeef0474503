#include "users.hpp"

#include <array>

namespace oco::sim {

std::string act(World& world, Coverage& coverage) {
    const std::array groups{secret_actions(), object_actions(), instance_actions(), omni_actions()};
    int sum = 0;
    for (const auto& group : groups)
        for (const auto& action : group)
            sum += action.weight;
    int roll = world.dice.number(1, sum);
    for (const auto& group : groups)
        for (const auto& action : group) {
            roll -= action.weight;
            if (roll <= 0)
                return action.act(world, coverage);
        }
    return {};
}

} // namespace oco::sim
