// Seeded randomness. Each part of a simulation has dice of its own, so that one more roll in one
// part does not change what happens in the others.
#pragma once

#include "rt/runtime.hpp"

#include <iterator>
#include <random>
#include <string_view>

namespace oco::sim {

class Dice {
  public:
    Dice(std::uint64_t seed, std::string_view part) {
        std::uint64_t mixed = seed * 0x9E3779B97F4A7C15U;
        for (const char c : part)
            mixed = (mixed ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
        engine_.seed(mixed);
    }

    // In [0, below).
    std::size_t index(std::size_t below) { return static_cast<std::size_t>(engine_() % below); }

    // In [least, most].
    int number(int least, int most) {
        return least + static_cast<int>(index(static_cast<std::size_t>(most - least) + 1));
    }

    bool chance(double probability) {
        return static_cast<double>(engine_() >> 11) * 0x1.0p-53 < probability;
    }

    rt::Duration duration(rt::Duration least, rt::Duration most) {
        const auto span = static_cast<std::uint64_t>((most - least).count());
        return least + rt::Duration(static_cast<rt::Duration::rep>(engine_() % (span + 1)));
    }

    template<class List>
    const auto& pick(const List& list) {
        return list[index(std::size(list))];
    }

    std::uint64_t bits() { return engine_(); }

  private:
    std::mt19937_64 engine_;
};

} // namespace oco::sim
