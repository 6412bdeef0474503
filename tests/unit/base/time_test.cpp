#include "base/time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace std::chrono_literals;

TEST_CASE("times survive writing and reading") {
    const WallTime time = WallTime(1795556662s) + 83456us;
    CHECK(format_rfc3339(time) == "2026-11-24T21:44:22Z");
    CHECK(format_rfc3339_micro(time) == "2026-11-24T21:44:22.083456Z");
    CHECK(parse_rfc3339("2026-11-24T21:44:22Z") == WallTime(1795556662s));
    CHECK(parse_rfc3339("2026-11-24T21:44:22.083456Z") == time);
    CHECK(parse_rfc3339("2026-11-24T23:14:22+01:30") == WallTime(1795556662s));
    CHECK(parse_http_date("Tue, 24 Nov 2026 21:44:22 GMT") == WallTime(1795556662s));
    for (const auto* bad : {"", "2026-11-24", "2026-13-24T21:44:22Z", "2026-11-24T25:44:22Z",
                            "2026-11-24T21:44:22", "9999-11-24T21:44:22Z", "x"})
        CHECK_FALSE(parse_rfc3339(bad));
    CHECK_FALSE(parse_http_date("Tue, 24 Nov 1026 21:44:22 GMT"));
}

TEST_CASE("durations are Go's, in h, m and s") {
    CHECK(parse_duration("1h30m") == 5400s);
    CHECK(parse_duration("1.5h") == 5400s);
    CHECK(parse_duration("1h0.25m15s") == 3630s);
    CHECK(parse_duration("0.999s") == 0s);
    CHECK(parse_duration("0h") == 0s);
    CHECK(parse_duration("45s") == 45s);
    CHECK(parse_duration("0s") == 0s);
    for (const auto* bad : {"", "5", "5d", "-5s", "s", "99999999999h", "99999999s99999999h",
                            "1h 2m", "1.h", "1.2345h", ".5h", "1.5", "1.5.5h"})
        CHECK_FALSE(parse_duration(bad));
}
