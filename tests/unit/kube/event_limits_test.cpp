// How many Events one object may cause, on passed-in time.
#include "kube/event_limits.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::kube;
using namespace std::chrono_literals;

namespace {

using test::start;

int allowed(EventLimits& limits, const std::string& object, int wanted, rt::TimePoint now) {
    int count = 0;
    for (int i = 0; i < wanted; ++i)
        count += limits.allow(object, now) ? 1 : 0;
    return count;
}

} // namespace

TEST_CASE("an object may cause a burst of Events, then one each five minutes") {
    EventLimits limits;
    CHECK(allowed(limits, "a", 100, start) == 25);
    CHECK(limits.take_suppressed() == 75);
    CHECK(allowed(limits, "b", 1, start) == 1); // another object is not held up
    CHECK(allowed(limits, "a", 10, start + 299s) == 0);
    CHECK(allowed(limits, "a", 10, start + 301s) == 1);
    CHECK(allowed(limits, "a", 10, start + 901s) == 2);
    CHECK(allowed(limits, "a", 100, start + 24h) == 25); // never more than the burst
    CHECK(limits.take_suppressed() == 10 + 9 + 8 + 75);
    CHECK(limits.take_suppressed() == 0);
}

TEST_CASE("what is remembered of objects is bounded") {
    EventLimits limits;
    for (std::size_t i = 0; i < 3 * EventLimits::max_objects; ++i)
        CHECK(limits.allow(std::to_string(i), start));
    CHECK(limits.objects() <= EventLimits::max_objects);
    // Those that are full again go first.
    EventLimits later;
    CHECK(allowed(later, "noisy", 30, start) == 25);
    for (std::size_t i = 1; i < EventLimits::max_objects; ++i)
        CHECK(later.allow(std::to_string(i), start));
    CHECK(later.allow("new", start + 301s));
    CHECK(allowed(later, "noisy", 30, start + 302s) == 1);
}
