// What something was from when on.
#pragma once

#include "rt/runtime.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace oco::sim {

template<class T>
struct Version {
    std::uint64_t number = 0; // of the collection that it belongs to
    rt::TimePoint written{};
    std::shared_ptr<const T> value; // null: it was deleted
};

// In the order of their numbers; before the first it was not there.
template<class T>
using History = std::vector<Version<T>>;

// Null: it is not there.
template<class T>
const T* newest(const History<T>& history) {
    return history.empty() ? nullptr : history.back().value.get();
}

} // namespace oco::sim
