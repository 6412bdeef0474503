// The window on passed-in time.
#include "support/test_time.hpp"
#include "work/rate_budget.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

using namespace oco::work;
using namespace std::chrono_literals;

namespace {

using oco::test::start;

} // namespace

TEST_CASE("a slot comes back a window after the answer, not after the send") {
    RateBudget budget(2);
    const auto first = budget.take(RequestClass::rotation, start);
    const auto second = budget.take(RequestClass::rotation, start);
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
    const auto slot = budget.take(RequestClass::rotation, start);
    budget.unanswered(slot, start + 10s);
    CHECK(budget.free(start + 99s) == 0);
    CHECK(budget.free(start + 100s) == 1);
}

TEST_CASE("after a 429 nothing goes, then one request alone, then all") {
    RateBudget budget(10);
    const auto met = budget.take(RequestClass::rotation, start);
    CHECK(budget.refused(met, start));
    budget.pause(start + 5s);
    CHECK(budget.limit(start) == 9);
    CHECK(budget.free(start) == 0);
    CHECK_FALSE(budget.ready(start));
    CHECK(budget.ready(start + 5s));
    const auto probe = budget.take(RequestClass::rotation, start + 5s);
    CHECK_FALSE(budget.ready(start + 55s)); // as long as the probe is under way
    budget.answered(probe, start + 6s);
    CHECK(budget.refusals() == 0);
    CHECK(budget.ready(start + 12s));
}

TEST_CASE("an episode lowers the limit once, however many 429s it has") {
    RateBudget budget(100);
    std::vector<RateBudget::Slot> burst;
    burst.reserve(10);
    for (int i = 0; i < 10; ++i)
        burst.push_back(budget.take(RequestClass::rotation, start));
    CHECK(budget.refused(burst[0], start + 100ms));
    for (int i = 1; i < 5; ++i)
        CHECK_FALSE(budget.refused(burst[i], start + 100ms)); // was under way
    for (int i = 5; i < 10; ++i)
        budget.answered(burst[i], start + 200ms);
    CHECK(budget.refusals() == 1); // and what was under way does not end it
    budget.pause(start + 5s);
    const auto probe = budget.take(RequestClass::rotation, start + 5s);
    CHECK(budget.refused(probe, start + 6s)); // another pause, in the same episode
    CHECK(budget.refusals() == 2);
    CHECK(budget.limit(start + 6s) == 90);
    const auto second = budget.take(RequestClass::rotation, start + 20s);
    budget.unanswered(second, start + 30s); // tells nothing
    CHECK(budget.refusals() == 2);
    const auto third = budget.take(RequestClass::rotation, start + 30s);
    budget.answered(third, start + 30s);
    CHECK(budget.refusals() == 0);
    const auto again = budget.take(RequestClass::rotation, start + 50s);
    CHECK(budget.refused(again, start + 50s)); // another episode
    CHECK(budget.limit(start + 50s) == 81);
}

TEST_CASE("a lowered limit rises by a sixtieth of the configured one a minute, at least by one") {
    struct Row {
        int configured;
        int lowered;
        int after_5_minutes;
        int after_20_minutes;
    };

    for (const Row& row : {Row{60, 54, 59, 60}, Row{600, 540, 590, 600}, Row{10, 9, 10, 10},
                           Row{2, 1, 2, 2}, Row{1, 1, 1, 1}}) {
        CAPTURE(row.configured);
        RateBudget budget(row.configured);
        CHECK(budget.refused(budget.take(RequestClass::rotation, start), start));
        CHECK(budget.limit(start) == row.lowered);
        CHECK(budget.limit(start + 5min) == row.after_5_minutes);
        CHECK(budget.limit(start + 20min) == row.after_20_minutes);
    }
}

TEST_CASE("while the limit is lowered, requests follow each other evenly") {
    RateBudget budget(60);
    const auto met = budget.take(RequestClass::rotation, start);
    CHECK(budget.refused(met, start));
    budget.pause(start + 5s);
    TimePoint now = start + 5s;
    budget.answered(budget.take(RequestClass::rotation, now), now);
    CHECK_FALSE(budget.ready(now + 500ms));
    CHECK(budget.next_change(now) <= now + 1s);
    CHECK(budget.ready(now + 1200ms));
}

TEST_CASE("a server that refuses when most of the limit is used here leaves about as much") {
    RateBudget budget(60);
    TimePoint now = start;
    for (int i = 0; i < 40; ++i) {
        now += 1s;
        budget.answered(budget.take(RequestClass::rotation, now), now);
    }
    CHECK(budget.refused(budget.take(RequestClass::rotation, now), now));
    CHECK(budget.limit(now) == 54);
    CHECK(budget.room_from(now) == start + 1s + RateBudget::window);
    const auto sent_in = [&](Duration span) {
        int sent = 0;
        for (const TimePoint end = now + span; now < end; now += 100ms)
            for (; budget.ready(RequestClass::rotation, now); ++sent)
                budget.answered(budget.take(RequestClass::rotation, now), now);
        return sent;
    };
    // The refused one counts here too. Those of before leave, and as many follow, at most 40.
    CHECK(sent_in(20s) == 0);
    const int follow = sent_in(60s);
    CHECK(follow >= 37);
    CHECK(follow <= 40);
    now = start + 3min;
    CHECK(sent_in(60s) > 50); // forgotten
}

TEST_CASE("a refusal of the first few says nothing about what the server leaves") {
    RateBudget budget(60);
    budget.answered(budget.take(RequestClass::rotation, start), start);
    CHECK(budget.refused(budget.take(RequestClass::rotation, start), start));
    CHECK(budget.room_from(start) == start);
    CHECK(budget.free(start) == 52);
}

TEST_CASE("reads and settings are paced, and leave a tenth to rotations") {
    struct Row {
        RequestClass request_class;
        bool paced;
        int at_most; // of 60
    };

    const Row rows[] = {
        {RequestClass::rotation, false, 60},   {RequestClass::lookup, true, 54},
        {RequestClass::new_object, false, 54}, {RequestClass::settings, true, 54},
        {RequestClass::drift_list, true, 54},  {RequestClass::drift_correction, true, 54},
    };
    for (const auto& row : rows) {
        CAPTURE(static_cast<int>(row.request_class));
        RateBudget budget(60);
        int at_once = 0;
        for (; budget.ready(row.request_class, start); ++at_once)
            budget.answered(budget.take(row.request_class, start), start);
        CHECK(at_once == (row.paced ? 1 : row.at_most));
        int sent = at_once;
        for (TimePoint now = start; now < start + 59s; now += 1ms)
            for (; budget.ready(row.request_class, now); ++sent)
                budget.answered(budget.take(row.request_class, now), now);
        CHECK(sent == row.at_most);
        CHECK(budget.ready(RequestClass::rotation, start + 59s) == (row.at_most < 60));
    }
}

TEST_CASE("only so many requests are under way at a time") {
    RateBudget budget(6000);
    int under_way = 0;
    for (; budget.ready(RequestClass::rotation, start); ++under_way)
        budget.take(RequestClass::rotation, start);
    CHECK(under_way == 64);
    CHECK(budget.free(start) == 6000 - 64);
}

TEST_CASE("about when a request has its turn") {
    RateBudget budget(10);
    CHECK(budget.estimate(0, RequestClass::rotation, start) == start);
    CHECK(budget.estimate(9, RequestClass::rotation, start) == start);
    CHECK(budget.estimate(10, RequestClass::rotation, start) == start + RateBudget::window);
    CHECK(budget.estimate(25, RequestClass::rotation, start) == start + 2 * RateBudget::window);
    for (int i = 0; i < 10; ++i)
        budget.answered(budget.take(RequestClass::rotation, start), start + i * 1s);
    CHECK(budget.estimate(0, RequestClass::rotation, start + 9s) == start + RateBudget::window);
    CHECK(budget.estimate(3, RequestClass::rotation, start + 9s) ==
          start + 3s + RateBudget::window);
    CHECK(budget.estimate(13, RequestClass::rotation, start + 9s) ==
          start + 3s + 2 * RateBudget::window);
    // One of ten is left to rotations.
    CHECK(budget.estimate(0, RequestClass::settings, start + 9s) ==
          start + 1s + RateBudget::window);
}

TEST_CASE("no window of a minute at the server holds more than the limit") {
    constexpr int limit = 60;
    RateBudget budget(limit);
    std::deque<TimePoint> arrivals; // at the server: anywhere between send and answer
    TimePoint now = start;
    std::size_t sent = 0;
    while (now < start + 600s) {
        while (budget.ready(RequestClass::rotation, now)) {
            const auto slot = budget.take(RequestClass::rotation, now);
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
        std::vector<TimePoint> busy_until;
        busy_until.reserve(row.ago.size());
        for (const auto ago : row.ago)
            busy_until.push_back(start - ago + RateBudget::window);
        budget.inherit(busy_until, start + 60s);
        CHECK(budget.free(start) == row.free_at_start);
        CHECK(budget.free(start + 30s) == row.free_after_30s);
        CHECK(budget.free(start + 60s) == row.free_after_a_minute);
    }
}

TEST_CASE("requests that nobody follows any more count as unanswered") {
    RateBudget budget(2);
    budget.take(RequestClass::rotation, start);
    budget.answered(budget.take(RequestClass::rotation, start), start);
    budget.abandon(start + 1s);
    CHECK(budget.free(start + RateBudget::window) == 1);
    CHECK(budget.free(start + 1s + RateBudget::unanswered_window - 1ms) == 1);
    CHECK(budget.free(start + 1s + RateBudget::unanswered_window) == 2);
}

TEST_CASE("in the first minute, too, a tenth is left to rotations, and something to the rest") {
    struct Row {
        int limit;
        int settings;  // that go in the first minute
        int rotations; // and after them
    };

    for (const Row& row :
         {Row{60, 48, 6}, Row{10, 8, 1}, Row{3, 1, 1}, Row{2, 1, 0}, Row{1, 1, 0}}) {
        CAPTURE(row.limit);
        RateBudget budget(row.limit);
        budget.inherit({}, start + 60s);
        const auto send = [&](RequestClass request_class, TimePoint now) {
            int sent = 0;
            for (; budget.ready(request_class, now); ++sent)
                budget.answered(budget.take(request_class, now), now);
            return sent;
        };
        CHECK(send(RequestClass::new_object, start) == row.settings);
        CHECK(send(RequestClass::rotation, start + 30s) == row.rotations);
        CHECK((send(RequestClass::rotation, start + 60s) > 0) == (row.limit > 1)); // of the reserve
    }
}

TEST_CASE("the end of the reserve is a time at which slots come free") {
    RateBudget budget(2);
    budget.inherit({start - 1s + RateBudget::window}, start + 60s);
    CHECK(budget.free(start) == 0);
    CHECK(budget.next_change(start) == start - 1s + RateBudget::window);
    CHECK(budget.next_change(start + 59'500ms) == start + 60s);
    CHECK(budget.next_change(start + 60s) == TimePoint::max());
}
