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
    for (const auto* bad : {"", "2026-11-24", "2026-13-24T21:44:22Z", "2026-11-24T25:44:22Z",
                            "2026-11-24T21:44:22", "9999-11-24T21:44:22Z", "x"})
        CHECK_FALSE(parse_rfc3339(bad));
}

TEST_CASE("HTTP dates: one form is written, and three are read") {
    const WallTime time = WallTime(1795556662s);
    CHECK(format_http_date(time + 999ms) == "Tue, 24 Nov 2026 21:44:22 GMT");
    CHECK(format_http_date(WallTime(0s)) == "Thu, 01 Jan 1970 00:00:00 GMT");
    for (const auto* text : {"Tue, 24 Nov 2026 21:44:22 GMT", "Tuesday, 24-Nov-26 21:44:22 GMT",
                             "Tue Nov 24 21:44:22 2026"}) {
        CAPTURE(text);
        CHECK(parse_http_date(text) == time);
    }
    CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == WallTime(784111777s));
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == WallTime(784111777s));
    for (const std::string_view bad :
         {"", "Tue", "Tue, 24 Nov 2026 21:44:22", "Tue, 24 Nov 2026 21:44:22 UTC",
          "Tue, 24 Nov 2026 21:44:22 GMT+1", "Tue, 24 Nov 2026 24:44:22 GMT",
          "Tue, 32 Nov 2026 21:44:22 GMT", "Tue, 24 Nov 1026 21:44:22 GMT",
          "Fri, 31 Dec 9999 23:59:59 GMT", "Tue, 24 Nov 12026 21:44:22 GMT",
          "Tuesday, 24-Nov-2026 21:44:22 GMT", "Tue Nov 24 21:44:22 2026 GMT",
          "Tue Nov 24 21:44:22 1026", "2026-11-24T21:44:22Z"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_http_date(bad));
    }
    CHECK_FALSE(parse_http_date(std::string_view("Tue, 24 Nov 2026 21:44:22 GMT\0x", 31)));
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
