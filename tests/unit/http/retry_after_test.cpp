// Only what the answers of Omni (omni/answer_test.cpp) and Kubernetes do not come to.
#include "http/retry_after.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace std::chrono_literals;

TEST_CASE("Retry-After: no clock makes a date overflow") {
    constexpr std::string_view date = "Tue, 24 Nov 2026 20:25:21 GMT";
    CHECK(http::parse_retry_after(date, WallTime::min()) == http::longest_retry_after);
    CHECK(http::parse_retry_after(date, WallTime::max()) == std::nullopt);
    CHECK(http::parse_retry_after(date, WallTime{}) == http::longest_retry_after);
    const auto then = *parse_http_date(date);
    CHECK(http::parse_retry_after(date, then - 1ms) == 1s);
    CHECK(http::parse_retry_after(date, then - 600s) == 600s);
    CHECK(http::parse_retry_after(date, then - 601s) == 600s);
    CHECK(http::parse_retry_after(date, then) == std::nullopt);
}
