#include "reconcile/connection/push_pace.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace std::chrono_literals;
using reconcile::PushPace;

namespace {

using test::start;
const api::Target here{.host = "acme.omniapp.co", .connection_id = "1"};
const api::Target there{.host = "acme.omniapp.co", .connection_id = "2"};

// How many pushes go in the span, each as soon as it may.
int pushes_in(PushPace& pace, rt::TimePoint begin, rt::Duration span) {
    int pushes = 0;
    for (auto now = begin; now < begin + span; now = std::max(now, pace.next(here))) {
        if (pace.next(here) > now)
            continue;
        pace.pushed(here, now);
        ++pushes;
    }
    return pushes;
}

} // namespace

TEST_CASE("three pushes at once, then one each five seconds") {
    PushPace pace;
    CHECK(pushes_in(pace, start, 1s) == 3);
    CHECK(pace.next(here) == start + 5s);
    CHECK(pace.next(there) < start);
    CHECK(pushes_in(pace, start + 5s, 55s) == 11);
}

TEST_CASE("after a quiet time there are three again, not more") {
    PushPace pace;
    CHECK(pushes_in(pace, start, 1s) == 3);
    CHECK(pushes_in(pace, start + 1h, 1s) == 3);
}

TEST_CASE("of a process before this one the worst is assumed") {
    PushPace pace;
    pace.assume_spent(here, start);
    CHECK(pace.next(here) == start + 5s);
    CHECK(pushes_in(pace, start + 5s, 1s) == 1);
    CHECK(pushes_in(pace, start + 1h, 1s) == 3);
}

TEST_CASE("who has not been pushed to for long is forgotten without a trace") {
    PushPace pace;
    for (int i = 0; i < 1000; ++i)
        pace.pushed({.host = "acme.omniapp.co", .connection_id = std::to_string(i)}, start);
    CHECK(pushes_in(pace, start + 1min, 5min) == 62);
}
