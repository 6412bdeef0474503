// The window on passed-in time.
#include "work/rate_budget.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

using namespace oco::work;
using namespace std::chrono_literals;

namespace {

const TimePoint start{1000s};

} // namespace

TEST_CASE("a slot comes back a window after the answer, not after the send") {
    RateBudget budget(2);
    const auto first = budget.take(start);
    const auto second = budget.take(start);
    CHECK(budget.free(start) == 0);
    budget.answered(first, start + 5s);
    budget.answered(second, start + 6s);
    CHECK(budget.free(start + 60s) == 0);
    CHECK(budget.next_change(start + 60s) == start + 5s + RateBudget::window);
    CHECK(budget.free(start + 5s + RateBudget::window) == 1);
    CHECK(budget.free(start + 6s + RateBudget::window) == 2);
}

TEST_CASE("an unanswered request keeps its slot longer, since it may arrive late") {
    RateBudget budget(1);
    const auto slot = budget.take(start);
    budget.unanswered(slot, start + 10s);
    CHECK(budget.free(start + 99s) == 0);
    CHECK(budget.free(start + 100s) == 1);
}

TEST_CASE("after a 429 nothing goes, then one request alone, then all") {
    RateBudget budget(10);
    budget.pause(start + 5s);
    CHECK(budget.free(start) == 0);
    CHECK(budget.next_change(start) == start + 5s);
    CHECK(budget.free(start + 5s) == 1);
    const auto probe = budget.take(start + 5s);
    CHECK(budget.free(start + 5s) == 0);
    budget.answered(probe, start + 6s);
    budget.resume();
    CHECK(budget.free(start + 6s) == 9);
}

TEST_CASE("no window of a minute at the server holds more than the limit") {
    constexpr int limit = 60;
    RateBudget budget(limit);
    std::deque<TimePoint> arrivals; // at the server: anywhere between send and answer
    TimePoint now = start;
    std::size_t sent = 0;
    while (now < start + 600s) {
        while (budget.free(now) > 0) {
            const auto slot = budget.take(now);
            const auto flight = std::chrono::milliseconds(20 + (sent * 37) % 400);
            arrivals.push_back(now + flight / 2);
            budget.answered(slot, now + flight);
            ++sent;
        }
        now = std::max(now + 1ms, budget.next_change(now));
    }
    std::sort(arrivals.begin(), arrivals.end());
    for (std::size_t i = 0; i + limit < arrivals.size(); ++i)
        CHECK(arrivals[i + limit] - arrivals[i] >= 60s);
    CHECK(sent >= 590);
}
