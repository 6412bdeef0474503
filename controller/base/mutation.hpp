// Points at which a test build can be made to do the wrong thing, so that the simulation can show
// that it would detect it. In release builds, mutated() is the constant false.
#pragma once

#include <string_view>

namespace oco {

#ifdef OCO_MUTATIONS
bool mutated(std::string_view mutation); // tests/sim/mutation.cpp
#else
constexpr bool mutated(std::string_view /*mutation*/) {
    return false;
}
#endif

} // namespace oco
