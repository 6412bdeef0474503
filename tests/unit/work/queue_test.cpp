// The keyed queue, on virtual time.
#include "support/sim_runtime.hpp"
#include "work/queue.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace oco;
using namespace std::chrono_literals;

namespace {

// Each run of a key takes a second.
struct QueueFixture {
    test::SimRuntime runtime;
    rt::TimePoint start = runtime.now();
    std::vector<std::string> begun; // "key@seconds"
    std::size_t most_running = 0;
    work::Queue<std::string> queue{runtime, 2, [this](std::string key) {
                                       return run(key);
                                   }};
    rt::TaskGroup tasks{runtime};

    QueueFixture() { tasks.spawn(queue.run()); }

    ~QueueFixture() {
        tasks.cancel();
        runtime.run_for(1s);
    }

    QueueFixture(const QueueFixture&) = delete;
    QueueFixture& operator=(const QueueFixture&) = delete;

    asio::awaitable<void> run(std::string key) {
        const auto at =
            std::chrono::duration_cast<std::chrono::milliseconds>(runtime.now() - start);
        begun.push_back(key + "@" + std::to_string(at.count()));
        most_running = std::max(most_running, queue.running());
        co_await runtime.sleep(1s);
    }
};

} // namespace

TEST_CASE_FIXTURE(QueueFixture, "additions while a key runs collapse into one more run") {
    queue.add("a");
    runtime.run_for(500ms);
    for (int i = 0; i < 5; ++i)
        queue.add("a");
    runtime.run_for(10s);
    CHECK(begun == std::vector<std::string>{"a@0", "a@1000"});
}

TEST_CASE_FIXTURE(QueueFixture, "no more run at once than there is room for, in order of arrival") {
    for (const auto* key : {"a", "b", "c", "d"})
        queue.add(key);
    runtime.run_for(10s);
    CHECK(begun == std::vector<std::string>{"a@0", "b@0", "c@1000", "d@1000"});
    CHECK(most_running == 2);
}

TEST_CASE_FIXTURE(QueueFixture,
                  "of two times the earlier counts, and a run before it makes it void") {
    queue.add_at("a", runtime.now() + 5s);
    queue.add_at("a", runtime.now() + 3s);
    queue.add_at("a", runtime.now() + 9s);
    queue.add_at("b", runtime.now() + 5s);
    runtime.run_for(1s);
    queue.add("b");
    runtime.run_for(20s);
    CHECK(begun == std::vector<std::string>{"b@1000", "a@3000"});
}

TEST_CASE_FIXTURE(QueueFixture, "after close() what runs ends, and nothing begins") {
    queue.add("a");
    runtime.run_for(500ms);
    queue.close();
    queue.add("b");
    runtime.run_for(10s);
    CHECK(begun == std::vector<std::string>{"a@0"});
    CHECK(queue.running() == 0);
}

TEST_CASE("a cancelled queue waits for work that puts things in order, whatever comes") {
    test::SimRuntime runtime;
    bool tidied = false;
    const auto tidy_work = [](rt::Runtime& its, bool& out) -> asio::awaitable<void> {
        try {
            co_await its.sleep(1h);
        } catch (const std::exception&) {
            out = false; // cancelled
        }
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await its.sleep(1s);
        out = true;
    };
    work::Queue<std::string> queue(runtime, 1,
                                   [&](std::string) { return tidy_work(runtime, tidied); });
    asio::cancellation_signal signal;
    bool ended = false;
    asio::co_spawn(runtime.executor(), queue.run(),
                   asio::bind_cancellation_slot(
                       signal.slot(), [&ended](const std::exception_ptr&) { ended = true; }));
    queue.add("a");
    for (int i = 0; i < 3; ++i) {
        runtime.run_for(100ms);
        signal.emit(asio::cancellation_type::terminal);
    }
    CHECK_FALSE(ended);
    runtime.run_for(2s);
    CHECK(tidied);
    CHECK(ended);
}
