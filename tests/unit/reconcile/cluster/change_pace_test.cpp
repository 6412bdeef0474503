#include "reconcile/cluster/change_pace.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using namespace std::chrono_literals;

TEST_CASE("a Secret that changes all the time is looked at every five seconds, after a burst") {
    ChangePace pace;
    const kube::ObjectKey secret{.ns = "a", .name = "db"};
    const rt::TimePoint start(1h);
    for (int i = 0; i < ChangePace::burst; ++i)
        CHECK(pace.next(secret, start + i * 500ms) == start + i * 500ms);
    const auto next = start + ChangePace::interval; // then one of the burst is allowed again
    CHECK(pace.next(secret, start + 4600ms) == next);
    CHECK(pace.next(secret, start + 4900ms) == next); // the same look
    CHECK(pace.next(secret, next) == next + ChangePace::interval);
    CHECK(pace.next({.ns = "a", .name = "other"}, next) == next);
    CHECK(pace.next(secret, start + 2h) == start + 2h);
}
