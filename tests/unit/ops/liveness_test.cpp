#include "ops/liveness.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::ops;
using namespace std::chrono_literals;

TEST_CASE("what makes the process fail its liveness probe") {
    const rt::TimePoint now{10'000s};

    struct Row {
        rt::Duration beat_ago;
        std::vector<rt::Duration> answered_ago;
        const char* says; // empty: alive
    };

    const Row rows[] = {
        {0s, {}, ""},
        {10s, {0s}, ""},
        {11s, {0s}, "the event loop has stalled: its last turn was 11 s ago"},
        {1s, {0s, 600s}, ""},
        {1s, {0s, 601s}, "the API server has not answered the watch of w1 for 601 s"},
        {20s, {700s}, "the event loop has stalled: its last turn was 20 s ago"},
    };
    for (const auto& row : rows) {
        std::vector<WatchLife> watches;
        watches.reserve(row.answered_ago.size());
        for (const auto ago : row.answered_ago)
            watches.push_back(
                {.name = "w" + std::to_string(watches.size()), .answered_at = now - ago});
        CHECK(liveness_trouble(now, now - row.beat_ago, watches) == row.says);
    }
}
