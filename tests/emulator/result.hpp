#pragma once

#include <boost/system/result.hpp>

#include <string>
#include <utility>

namespace emulator {

/// A mistake in what came from outside, in one sentence for whoever made it. Made by problem()
/// alone: were it constructible from a string, a `Result<std::string>` could not tell the two.
struct Problem {
    std::string message;

    Problem() = default;
};

/// A value, or the mistake that prevented it. Never call `value()`: look first, then use `*`.
template<class T>
using Result = boost::system::result<T, Problem>;

inline Problem problem(std::string message) {
    Problem made;
    made.message = std::move(message);
    return made;
}

} // namespace emulator
