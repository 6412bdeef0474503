// When the unit tests of pure code begin: any moment that is not the clock's zero.
#pragma once

#include "rt/runtime.hpp"

#include <chrono>

namespace oco::test {

inline constexpr rt::TimePoint start{std::chrono::seconds(1000)};

} // namespace oco::test
