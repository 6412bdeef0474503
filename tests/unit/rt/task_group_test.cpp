// Who owns a task, and when it ends.
#include "rt/task_group.hpp"
#include "support/sim_runtime.hpp"

#include <boost/asio/this_coro.hpp>
#include <doctest/doctest.h>

#include <exception>

using namespace oco;
using namespace std::chrono_literals;

namespace {

// Works until it is cancelled, and then takes a second to put things in order.
asio::awaitable<void> tidy_worker(rt::Runtime& runtime, bool& tidied) {
    std::exception_ptr cancelled;
    try {
        co_await runtime.sleep(1h);
    } catch (...) {
        cancelled = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state();
    co_await runtime.sleep(1s);
    tidied = true;
    std::rethrow_exception(cancelled);
}

asio::awaitable<void> joined(rt::TaskGroup& group, bool& done) {
    co_await group.join();
    done = true;
}

} // namespace

TEST_CASE("a task that puts things in order after it was cancelled is not cut short") {
    test::SimRuntime runtime;
    rt::TaskGroup group(runtime);
    rt::TaskGroup owner(runtime);
    bool tidied = false;
    bool done = false;
    group.spawn(tidy_worker(runtime, tidied));
    owner.spawn(joined(group, done));
    runtime.run_for(1ms);
    group.cancel();
    runtime.run_for(500ms);
    group.cancel(); // by an owner that is itself being cancelled, say
    runtime.run_for(100ms);
    CHECK_FALSE(done);
    runtime.run_for(1s);
    CHECK(tidied);
    CHECK(done);
}
