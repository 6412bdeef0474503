// The scheduler against the limits that Omni may have, and beside another client of the same key.
#include "rate.hpp"
#include "rt/task_group.hpp"
#include "support/sim_runtime.hpp"
#include "work/request_scheduler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

using namespace oco;
using namespace std::chrono_literals;
using work::RequestClass;
using work::RequestResult;

namespace {

emulator::Instant instant(rt::TimePoint time) {
    return std::chrono::duration_cast<emulator::Instant>(time.time_since_epoch());
}

// Wishes without end, each answered in up to half a second.
struct Crowd {
    Crowd(emulator::Limits limits, std::uint64_t seed)
        : runtime(seed), limiter(limits), dice(seed),
          scheduler(runtime, static_cast<int>(limits.requests_per_minute), [] {}),
          counted(limits.count_refused && limits.window == emulator::RateWindow::sliding) {
        runtime.run_for(std::chrono::milliseconds(dice() % 60'000)); // of a fixed window
        begin = runtime.now();
        tasks.spawn(scheduler.run());
    }

    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;

    ~Crowd() {
        tasks.cancel();
        runtime.run_for(1s);
    }

    void want(int number) {
        const auto grant = scheduler.acquire({.key = std::to_string(number),
                                              .flow = "team",
                                              .request_class = RequestClass::rotation},
                                             [this, number] { want(number); });
        if (!grant)
            return;
        const auto there = rt::Duration(std::chrono::microseconds(1000 + dice() % 200'000));
        const auto back = rt::Duration(std::chrono::microseconds(1000 + dice() % 250'000));
        runtime.after(there, [this, number, back, grant = *grant] {
            const bool admitted = limiter.admit("key", instant(runtime.now()));
            if (runtime.now() >= measure_from)
                ++(admitted ? accepted : refused);
            runtime.after(back, [this, number, admitted, grant] {
                scheduler.finish(grant,
                                 admitted ? RequestResult::answered : RequestResult::rate_limited);
                want(number + 10'000);
            });
        });
    }

    void start(int crowd) {
        for (int i = 0; i < crowd; ++i)
            want(i);
    }

    // Another client, that sends evenly, and drops what is refused.
    void second_client(rt::Duration interval) {
        runtime.after(interval, [this, interval] {
            const bool admitted = limiter.admit("key", instant(runtime.now()));
            if ((admitted || counted) && runtime.now() >= measure_from)
                ++others;
            second_client(interval);
        });
    }

    test::SimRuntime runtime;
    emulator::RateLimiter limiter;
    std::mt19937_64 dice;
    work::RequestScheduler scheduler;
    rt::TaskGroup tasks{runtime};
    rt::TimePoint begin;
    rt::TimePoint measure_from = rt::TimePoint::min();
    int accepted = 0;
    int refused = 0;
    bool counted;   // whether the server counts what it refuses
    int others = 0; // of the other client's, that were counted
};

std::vector<emulator::Limits> all_limits(std::size_t requests_per_minute) {
    std::vector<emulator::Limits> out;
    for (const auto window : {emulator::RateWindow::sliding, emulator::RateWindow::fixed})
        for (const bool counted : {false, true})
            out.push_back({.requests_per_minute = requests_per_minute,
                           .window = window,
                           .count_refused = counted});
    return out;
}

} // namespace

TEST_CASE("alone with its key, all of the budget is used and no request is refused") {
    for (const std::size_t limit : {60U, 600U, 7U})
        for (const auto& limits : all_limits(limit)) {
            CAPTURE(limit);
            Crowd crowd(limits, 3);
            crowd.start(static_cast<int>(limit) * 3);
            crowd.runtime.run_for(20min);
            CHECK(crowd.refused == 0);
            CHECK(crowd.limiter.max_in_window() == limit);
            CHECK(crowd.accepted >= static_cast<int>(limit) * 20 * 98 / 100);
        }
}

TEST_CASE("beside a client that takes half: little is refused, little is left unused") {
    int runs = 0;
    double most_refused = 0; // a minute
    double least_used = 1;   // of what the other leaves
    for (const std::size_t limit : {60U, 600U})
        for (const auto& limits : all_limits(limit))
            for (std::uint64_t seed = 1; seed <= 10; ++seed, ++runs) {
                CAPTURE(limit);
                CAPTURE(seed);
                CAPTURE(limits.count_refused);
                CAPTURE((limits.window == emulator::RateWindow::fixed));
                Crowd crowd(limits, seed);
                crowd.second_client(rt::Duration(120s) / static_cast<int>(limit));
                crowd.start(static_cast<int>(limit) * 3);
                crowd.measure_from = crowd.begin + 4min;
                crowd.runtime.run_until(crowd.begin + 13min);
                const double refused = crowd.refused / 9.0;
                const double used =
                    crowd.accepted / (static_cast<double>(limit) * 9 - crowd.others);
                CHECK(refused <= 2);
                CHECK(used >= 0.9);
                most_refused = std::max(most_refused, refused);
                least_used = std::min(least_used, used);
            }
    MESSAGE(runs, " runs: at most ", most_refused, " refused a minute, at least ", 100 * least_used,
            " % used of what was left");
}
