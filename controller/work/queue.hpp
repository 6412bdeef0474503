// A keyed work queue: each key runs at most once at a time, additions meanwhile collapse into one
// more run, and a key can be due at a later time. Peer: client-go's workqueue.
#pragma once

#include "rt/event.hpp"
#include "rt/task_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <deque>
#include <functional>
#include <set>
#include <unordered_map>

namespace oco::work {

// For the workqueue_* metrics. Durations in seconds.
struct QueueHooks {
    std::function<void()> added = [] {
    };
    std::function<void()> delayed = [] {
    };
    std::function<void(double waited)> started = [](double) {
    };
    std::function<void(double took)> done = [](double) {
    };
};

template<class Key>
class Queue {
  public:
    using Work = std::function<asio::awaitable<void>(Key)>;

    Queue(rt::Runtime& runtime, std::size_t max_running, Work work, QueueHooks hooks = {})
        : runtime_(runtime), max_running_(max_running), work_(std::move(work)),
          hooks_(std::move(hooks)), changed_(runtime) {}

    // As soon as there is room; a running key runs once more after it ends.
    void add(const Key& key) {
        Entry& entry = entries_[key];
        if (entry.queued)
            return;
        entry.queued = true;
        entry.since = runtime_.now();
        hooks_.added();
        if (!entry.running)
            ready_.push_back(key);
        changed_.notify();
    }

    // At `when`, unless it runs before. Of two times the earlier counts.
    void add_at(const Key& key, rt::TimePoint when) {
        Entry& entry = entries_[key];
        if (entry.queued || (entry.due && *entry.due <= when))
            return;
        clear_due(key, entry);
        entry.due = when;
        due_.emplace(when, key);
        hooks_.delayed();
        changed_.notify();
    }

    // Starts work until cancelled; then cancels and joins what runs. To be given a task of its own:
    // at its end that reacts to no cancellation.
    asio::awaitable<void> run() {
        rt::TaskGroup tasks(runtime_);
        std::exception_ptr failure;
        try {
            for (;;)
                co_await step(tasks);
        } catch (...) {
            failure = std::current_exception();
        }
        tasks.cancel();
        // Nothing may cut short the wait for what refers to this frame.
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await tasks.join();
        std::rethrow_exception(failure);
    }

    // No new work from now on; what runs goes on.
    void close() {
        closed_ = true;
        changed_.notify();
    }

    [[nodiscard]] std::size_t depth() const { return ready_.size(); }

    [[nodiscard]] std::size_t running() const { return running_; }

  private:
    struct Entry {
        bool queued = false;
        bool running = false;
        rt::TimePoint since{};
        std::optional<rt::TimePoint> due;
    };

    asio::awaitable<void> step(rt::TaskGroup& tasks) {
        promote_due();
        while (!closed_ && running_ < max_running_ && !ready_.empty()) {
            Key key = std::move(ready_.front());
            ready_.pop_front();
            start(tasks, std::move(key));
        }
        if (due_.empty())
            co_await changed_.wait();
        else
            co_await changed_.wait_until(runtime_, due_.begin()->first);
    }

    void promote_due() {
        const auto now = runtime_.now();
        while (!due_.empty() && due_.begin()->first <= now) {
            const Key key = due_.begin()->second;
            clear_due(key, entries_[key]);
            add(key);
        }
    }

    void clear_due(const Key& key, Entry& entry) {
        if (entry.due)
            due_.erase({*entry.due, key});
        entry.due.reset();
    }

    void start(rt::TaskGroup& tasks, Key key) {
        Entry& entry = entries_[key];
        clear_due(key, entry); // the run decides again when to come back
        entry.queued = false;
        entry.running = true;
        ++running_;
        hooks_.started(seconds(runtime_.now() - entry.since));
        tasks.spawn(run_one(std::move(key)));
    }

    asio::awaitable<void> run_one(Key key) {
        const auto started = runtime_.now();
        std::exception_ptr failure;
        try {
            co_await work_(key);
        } catch (...) {
            failure = std::current_exception();
        }
        --running_;
        hooks_.done(seconds(runtime_.now() - started));
        Entry& entry = entries_[key];
        entry.running = false;
        if (entry.queued)
            ready_.push_back(key);
        else if (!entry.due)
            entries_.erase(key);
        changed_.notify();
        if (failure)
            std::rethrow_exception(failure);
    }

    static double seconds(rt::Duration d) { return std::chrono::duration<double>(d).count(); }

    rt::Runtime& runtime_;
    std::size_t max_running_;
    Work work_;
    QueueHooks hooks_;
    std::unordered_map<Key, Entry> entries_;
    std::deque<Key> ready_;
    std::set<std::pair<rt::TimePoint, Key>> due_;
    rt::Event changed_;
    std::size_t running_ = 0;
    bool closed_ = false;
};

} // namespace oco::work
