#include "rt/semaphore.hpp"
#include "support/sim_runtime.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <doctest/doctest.h>

#include <string>

using namespace oco;
using namespace oco::rt;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    test::SimRuntime runtime;
    Semaphore semaphore{runtime, 1};
    std::string order; // of those who got a permit; lower case: gave up

    // Holds its permit for `held`.
    void start(char name, Urgency urgency, Duration held, Duration patience = 1min,
               asio::cancellation_slot cancelled = {}) {
        asio::co_spawn(
            runtime.executor(),
            [](Fixture& at, char n, Urgency u, Duration h, Duration p) -> asio::awaitable<void> {
                const auto permit = co_await at.semaphore.acquire(u, p);
                at.order += permit ? n : static_cast<char>(n + ('a' - 'A'));
                co_await at.runtime.sleep(h);
            }(*this, name, urgency, held, patience),
            asio::bind_cancellation_slot(cancelled, [](const std::exception_ptr&) {}));
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "semaphore: in order, what is urgent first") {
    start('A', Urgency::normal, 1s);
    start('B', Urgency::background, 1s);
    start('C', Urgency::normal, 1s);
    start('D', Urgency::background, 1s);
    start('E', Urgency::normal, 1s);
    start('F', Urgency::first, 1s);
    start('H', Urgency::high, 1s);
    runtime.run_for(500ms);
    CHECK(order == "A");
    runtime.run_for(10s);
    CHECK(order == "AFHCEBD");
    start('G', Urgency::background, 0s);
    runtime.run_for(0s);
    CHECK(order == "AFHCEBDG"); // free again
}

TEST_CASE_FIXTURE(Fixture, "semaphore: who gives up leaves the line") {
    start('A', Urgency::normal, 5s);
    start('B', Urgency::normal, 1s, 2s);
    start('C', Urgency::normal, 1s);
    runtime.run_for(3s);
    CHECK(order == "Ab");
    runtime.run_for(10s);
    CHECK(order == "AbC");
}

TEST_CASE_FIXTURE(Fixture, "semaphore: a permit that comes to one who is cancelled goes on") {
    asio::cancellation_signal cancel;
    start('A', Urgency::normal, 1s);
    start('B', Urgency::normal, 1s, 1min, cancel.slot());
    start('C', Urgency::normal, 1s);
    SUBCASE("while it waits") {
        runtime.run_for(500ms);
    }
    SUBCASE("while it holds it") {
        runtime.run_for(1500ms);
    }
    cancel.emit(asio::cancellation_type::terminal);
    runtime.run_for(10s);
    CHECK(order.back() == 'C');
    start('D', Urgency::normal, 0s);
    runtime.run_for(0s);
    CHECK(order.back() == 'D');
}
