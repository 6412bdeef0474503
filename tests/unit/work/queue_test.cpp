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
    work::Queue<std::string> queue{runtime, {.running = 2}, [this](std::string key) {
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

// A run that takes a second.
asio::awaitable<void> for_a_second(rt::Runtime& runtime, std::vector<std::string>& begun,
                                   std::string key) {
    begun.push_back(std::move(key));
    co_await runtime.sleep(1s);
}

// A clock that moves with each look at it, as a real one does.
class MovingClock final : public rt::Runtime {
  public:
    explicit MovingClock(test::SimRuntime& time) : time_(time) {}

    asio::any_io_executor executor() override { return time_.executor(); }

    [[nodiscard]] rt::TimePoint now() const override { return time_.now() + ++looks_ * 1us; }

    [[nodiscard]] WallTime wall_now() const override { return time_.wall_now(); }

    void random_bytes(std::span<unsigned char> out) override { time_.random_bytes(out); }

    asio::awaitable<void> sleep_until(rt::TimePoint when) override {
        return time_.sleep_until(when);
    }

    asio::awaitable<Result<std::unique_ptr<rt::Stream>>> connect(rt::Endpoint endpoint) override {
        return time_.connect(std::move(endpoint));
    }

  private:
    test::SimRuntime& time_;
    mutable int looks_ = 0;
};

} // namespace

TEST_CASE("a thousand runs that have ended take no room, on a clock that moves") {
    test::SimRuntime time;
    MovingClock clock(time);
    std::size_t quick = 0;
    const auto run = [](rt::Runtime& its, std::size_t& out,
                        std::string key) -> asio::awaitable<void> {
        if (key.starts_with("slow"))
            co_await its.sleep(10s);
        else
            ++out;
    };
    work::Queue<std::string> queue(clock, {.running = 2, .slow = 3},
                                   [&](std::string key) { return run(clock, quick, key); });
    rt::TaskGroup tasks(clock);
    tasks.spawn(queue.run());
    for (int i = 0; i < 1000; ++i) {
        queue.add("quick" + std::to_string(i));
        queue.add("quick" + std::to_string(i)); // while it waits
        time.run_for(10ms);
    }
    CHECK(quick == 1000);
    for (const auto* key : {"slow1", "slow2", "slow3", "slow4", "slow5"})
        queue.add(key);
    time.run_for(5s);
    CHECK(queue.running() == 5);
    time.run_for(20s);
    CHECK(queue.running() == 0);
    queue.add("quick");
    time.run_for(1s);
    CHECK(quick == 1001);
    tasks.cancel();
    time.run_for(1s);
}

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

TEST_CASE("flows take turns, and within one the order of arrival counts") {
    test::SimRuntime runtime;
    std::vector<std::string> begun;
    work::Queue<std::string> queue(
        runtime, {.running = 1}, [&](std::string key) { return for_a_second(runtime, begun, key); },
        {}, [](const std::string& key) { return key.substr(0, 1); });
    rt::TaskGroup tasks(runtime);
    tasks.spawn(queue.run());
    for (const auto* key : {"a1", "a2", "a3", "a4", "b1", "c1", "c2"})
        queue.add(key);
    runtime.run_for(10s);
    CHECK(begun == std::vector<std::string>{"a1", "b1", "c1", "a2", "c2", "a3", "a4"});
    tasks.cancel();
    runtime.run_for(1s);
}

TEST_CASE("what has changed and what is looked at because all is take turns") {
    test::SimRuntime runtime;
    std::vector<std::string> begun;
    work::Queue<std::string> queue(runtime, {.running = 1}, [&](std::string key) {
        return for_a_second(runtime, begun, key);
    });
    rt::TaskGroup tasks(runtime);
    tasks.spawn(queue.run());
    for (const auto* key : {"a", "b", "c", "d", "e", "f"})
        queue.add_in_background(key);
    queue.add("e"); // it overtakes
    queue.add("x");
    queue.add("e");
    CHECK(queue.depth() == 7);
    runtime.run_for(2500ms);
    queue.add("a");               // once more
    queue.add_in_background("e"); // its first place is still there
    queue.add_in_background("b"); // it runs
    runtime.run_for(20s);
    CHECK(begun == std::vector<std::string>{"a", "e", "b", "x", "c", "a", "d", "e", "f", "b"});
    CHECK(queue.depth() == 0);
    tasks.cancel();
    runtime.run_for(1s);
}

TEST_CASE("who runs for longer than a second makes room for another, up to a limit") {
    test::SimRuntime runtime;
    const auto began = runtime.now();
    std::vector<std::string> begun; // "key@milliseconds"
    // "slow..." for 10 s, others for none.
    const auto run = [](rt::Runtime& its, rt::TimePoint began, std::vector<std::string>& out,
                        std::string key) -> asio::awaitable<void> {
        const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(its.now() - began);
        out.push_back(key + "@" + std::to_string(at.count()));
        if (key.starts_with("slow"))
            co_await its.sleep(10s);
    };
    work::Queue<std::string> queue(runtime, {.running = 2, .slow = 3}, [&](std::string key) {
        return run(runtime, began, begun, key);
    });
    rt::TaskGroup tasks(runtime);
    tasks.spawn(queue.run());
    for (const auto* key : {"slow1", "slow2", "quick1", "slow3", "slow4", "slow5", "quick2"})
        queue.add(key);
    runtime.run_for(9s);
    CHECK(begun == std::vector<std::string>{"slow1@0", "slow2@0", "quick1@1000", "slow3@1000",
                                            "slow4@1000", "slow5@2000"});
    CHECK(queue.running() == 5);
    runtime.run_for(2s);
    CHECK(begun.back() == "quick2@10000");
    runtime.run_for(20s);
    CHECK(queue.running() == 0);
    begun.clear();
    SUBCASE("after close() nobody needs the room: time goes on") {
        for (const auto* key : {"slow1", "slow2", "quick1"})
            queue.add(key);
        runtime.run_for(500ms);
        queue.close();
        runtime.run_for(20s);
        CHECK(begun.size() == 2);
    }
    SUBCASE("nothing of it is left behind") {
        for (const auto* key : {"slow1", "slow2", "quick1"})
            queue.add(key);
        runtime.run_for(2s);
        CHECK(begun.size() == 3);
        CHECK(begun.back().starts_with("quick1"));
    }
    tasks.cancel();
    runtime.run_for(1s);
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
    work::Queue<std::string> queue(runtime, {.running = 1},
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
