#include "rate.hpp"

#include <doctest/doctest.h>

using namespace emulator;
using namespace std::chrono_literals;

namespace {

/// How many of `count` requests at `now` are admitted.
int admitted(RateLimiter& limiter, Instant now, int count, const char* token = "a") {
    int passed = 0;
    for (int i = 0; i < count; ++i)
        passed += limiter.admit(token, now) ? 1 : 0;
    return passed;
}

} // namespace

TEST_CASE("a sliding window frees each slot a minute after its use") {
    RateLimiter limiter({.requests_per_minute = 3});
    CHECK(admitted(limiter, 0s, 2) == 2);
    CHECK(admitted(limiter, 30s, 2) == 1);
    CHECK(admitted(limiter, 60s - 1us, 1) == 0);
    CHECK(admitted(limiter, 60s, 5) == 2);
    CHECK(admitted(limiter, 90s, 5) == 1);
    CHECK(admitted(limiter, 300s, 5) == 3);
}

TEST_CASE("a fixed window is empty again on the minute") {
    RateLimiter limiter({.requests_per_minute = 3, .window = RateWindow::fixed});
    CHECK(admitted(limiter, 59s, 5) == 3);
    CHECK(admitted(limiter, 60s - 1us, 1) == 0);
    CHECK(admitted(limiter, 60s, 5) == 3);
    CHECK(admitted(limiter, 119s, 1) == 0);
    CHECK(admitted(limiter, 500s, 5) == 3);
}

TEST_CASE("refused requests use up budget only when told so") {
    for (const bool count_refused : {false, true}) {
        CAPTURE(count_refused);
        RateLimiter limiter({.requests_per_minute = 1, .count_refused = count_refused});
        CHECK(admitted(limiter, 0s, 1) == 1);
        CHECK(admitted(limiter, 50s, 1) == 0);
        CHECK(admitted(limiter, 61s, 1) == (count_refused ? 0 : 1));
    }
}

TEST_CASE("each token has a budget of its own") {
    RateLimiter limiter({.requests_per_minute = 2});
    CHECK(admitted(limiter, 0s, 3, "a") == 2);
    CHECK(admitted(limiter, 0s, 3, "b") == 2);
}

TEST_CASE("new limits count what came before") {
    RateLimiter limiter({.requests_per_minute = 2});
    CHECK(admitted(limiter, 0s, 2) == 2);
    limiter.set_limits({.requests_per_minute = 3});
    CHECK(admitted(limiter, 1s, 3) == 1);
}

TEST_CASE("the busiest minute counts refused requests, by token, and slides") {
    RateLimiter limiter({.requests_per_minute = 2});
    admitted(limiter, 30s, 3, "a");
    admitted(limiter, 61s, 2, "a");
    admitted(limiter, 61s, 4, "b");
    CHECK(limiter.max_in_window() == 5);
    admitted(limiter, 90s, 1, "a"); // the first three are exactly a minute ago
    CHECK(limiter.max_in_window() == 5);
    limiter.reset_statistics();
    CHECK(limiter.max_in_window() == 0);
    admitted(limiter, 91s, 1, "a");
    CHECK(limiter.max_in_window() == 1);
}
