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

TEST_CASE("what a process before this one spent counts, and a tenth is kept back for a minute") {
    struct Row {
        int limit;
        std::vector<std::chrono::seconds> ago; // its requests were answered then
        int free_at_start;
        int free_after_30s;
        int free_after_a_minute;
    };

    const Row rows[] = {
        {60, {}, 54, 54, 60},
        {60, {0s, 0s, 10s, 40s}, 50, 51, 58},
        {60, {61s, 3600s}, 54, 54, 60},
        {10, {5s}, 8, 8, 10},
        {5, {5s}, 3, 3, 5},
        {2, {}, 1, 1, 2},
        {1, {}, 1, 1, 1}, // nothing to keep back
        {1, {20s}, 0, 0, 1},
        {3, {1s, 1s, 1s, 1s, 1s}, 0, 0, 3},
    };
    for (const auto& row : rows) {
        CAPTURE(row.limit);
        RateBudget budget(row.limit);
        std::vector<TimePoint> answered;
        answered.reserve(row.ago.size());
        for (const auto ago : row.ago)
            answered.push_back(start - ago);
        budget.inherit(answered, start + 60s);
        CHECK(budget.free(start) == row.free_at_start);
        CHECK(budget.free(start + 30s) == row.free_after_30s);
        CHECK(budget.free(start + 60s) == row.free_after_a_minute);
    }
}

TEST_CASE("the end of the reserve is a time at which slots come free") {
    RateBudget budget(2);
    budget.inherit({start - 1s}, start + 60s);
    CHECK(budget.free(start) == 0);
    CHECK(budget.next_change(start) == start - 1s + RateBudget::window);
    CHECK(budget.next_change(start + 59'500ms) == start + 60s);
    CHECK(budget.next_change(start + 60s) == TimePoint::max());
}
