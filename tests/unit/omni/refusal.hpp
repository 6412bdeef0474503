// What every refused credential's message is held to.
#pragma once

#include "base/result.hpp"
#include "base/text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace oco::test {

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// Refused, by one clear line that says `why` and holds no 8 bytes of `secret`.
template<class T>
void check_refused(const Result<T>& result, std::string_view why, std::string_view secret) {
    REQUIRE(result.has_error());
    const Error& error = result.error();
    INFO("message: " << error.message << "   wanted: " << std::string(why));
    CHECK(error.kind == ErrorClass::invalid);
    CHECK(contains(error.message, why));
    CHECK(error.message.size() <= 300);
    CHECK(printable(error.message) == error.message);
    CHECK_FALSE(shares_run(error.message, secret));
}

} // namespace oco::test
