// The wrong turns that the operator can be told to take (base/mutation.hpp), one at a time.
#pragma once

#include <span>
#include <string_view>

namespace oco::sim {

// What notices it for certain: a seed of the simulation, or, where only one in thousands meets what
// it takes, a named scenario (tests/scenarios/CMakeLists.txt).
enum class FoundBy { seed, scenario };

struct Mutation {
    std::string_view name; // as in mutated()
    std::string_view what; // the wrong thing that is done
    FoundBy found_by = FoundBy::seed;
};

std::span<const Mutation> all_mutations();

// Empty: none. False: there is none of this name.
bool choose_mutation(std::string_view name);

} // namespace oco::sim
