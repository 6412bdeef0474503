#include "base/number.hpp"
#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace oco;

TEST_CASE("a list that is too long to show") {
    CHECK(list_some({}, 2).empty());
    CHECK(list_some({"a"}, 2) == "a");
    CHECK(list_some({"a", "b"}, 2) == "a, b");
    CHECK(list_some({"a", "b", "c", "d"}, 2) == "a, b and 2 more");
}

TEST_CASE("numbers: digits and nothing else, that fit") {
    CHECK(parse_number<std::uint16_t>("0") == 0);
    CHECK(parse_number<std::uint16_t>("65535") == 65535);
    for (const char* text : {"", "65536", "-1", "+1", " 1", "1 ", "0x1", "1.0"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_number<std::uint16_t>(text));
    }
}
