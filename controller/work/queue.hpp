// A keyed work queue: each key runs at most once at a time, additions in the meantime collapse into
// one more run, and a key can be due at a later time. Flows (namespaces) take turns, and so do what
// has changed and what is looked at only because all is, as after a start. A run that takes long,
// since a server is silent, leaves its place to others. Peer: client-go's workqueue.
#pragma once

#include "rt/event.hpp"
#include "rt/task_group.hpp"
#include "work/lines.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <functional>
#include <set>
#include <string>
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

// A run that takes longer than this does not count among `running`, unless as many already do.
inline constexpr rt::Duration slow_run = std::chrono::seconds(1);

struct QueueLimits {
    std::size_t running;  // at once
    std::size_t slow = 0; // besides them
};

template<class Key>
class Queue {
  public:
    using Work = std::function<asio::awaitable<void>(Key)>;
    using FlowOf = std::function<std::string(const Key&)>;

    Queue(
        rt::Runtime& runtime, QueueLimits limits, Work work, QueueHooks hooks = {},
        FlowOf flow_of = [](const Key&) { return std::string(); })
        : runtime_(runtime), limits_(limits), work_(std::move(work)), hooks_(std::move(hooks)),
          flow_of_(std::move(flow_of)), changed_(runtime) {}

    // As soon as there is room; a running key runs once more after it ends.
    void add(const Key& key) { enter(key, Lane::front); }

    // The same for one of many, of which none has changed.
    void add_in_background(const Key& key) { enter(key, Lane::background); }

    // At `when`, unless it runs before. Of two times the earlier counts.
    void add_at(const Key& key, rt::TimePoint when) {
        Entry& entry = entries_[key];
        if (entry.lane != Lane::none || (entry.due && *entry.due <= when))
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

    [[nodiscard]] std::size_t depth() const {
        return front_.size() + background_.size() - overtaken_;
    }

    [[nodiscard]] std::size_t running() const { return running_; }

  private:
    enum class Lane { none, background, front };

    struct Entry {
        Lane lane = Lane::none; // where it waits for its next run
        bool running = false;
        bool slow = false;
        rt::TimePoint added{};
        rt::TimePoint began{};
        std::optional<rt::TimePoint> due;
    };

    asio::awaitable<void> step(rt::TaskGroup& tasks) {
        promote_due();
        while (!closed_ && depth() != 0 && has_room())
            if (auto key = take_next())
                start(tasks, std::move(*key));
        if (const auto next = next_change())
            co_await changed_.wait_until(runtime_, *next);
        else
            co_await changed_.wait();
    }

    [[nodiscard]] std::optional<rt::TimePoint> next_change() const {
        std::optional<rt::TimePoint> next;
        if (!due_.empty())
            next = due_.begin()->first;
        if (!closed_ && depth() != 0 && slow_ < limits_.slow && !begun_.empty())
            next = std::min(next.value_or(rt::TimePoint::max()), begun_.begin()->first + slow_run);
        return next;
    }

    // --- whose turn it is

    void enter(const Key& key, Lane lane) {
        Entry& entry = entries_[key];
        if (entry.lane >= lane)
            return;
        const bool waits = entry.lane != Lane::none;
        entry.lane = lane;
        if (!waits) {
            entry.added = runtime_.now();
            hooks_.added();
        }
        if (!entry.running) {
            overtaken_ += waits ? 1 : 0; // its place in the background stays, unused
            line_up(key, lane);
        }
        changed_.notify();
    }

    void line_up(const Key& key, Lane lane) {
        (lane == Lane::front ? front_ : background_).push(flow_of_(key), key);
    }

    // nullopt: it was the place of one that has overtaken.
    std::optional<Key> take_next() {
        backgrounds_turn_ = !background_.empty() && (front_.empty() || !backgrounds_turn_);
        if (!backgrounds_turn_)
            return front_.pop();
        Key key = background_.pop();
        const auto entry = entries_.find(key);
        if (entry != entries_.end() && entry->second.lane == Lane::background &&
            !entry->second.running)
            return key;
        --overtaken_;
        return std::nullopt;
    }

    bool has_room() {
        const auto slow_since = runtime_.now() - slow_run;
        while (running_ - slow_ >= limits_.running && slow_ < limits_.slow && !begun_.empty() &&
               begun_.begin()->first <= slow_since) {
            entries_[begun_.begin()->second].slow = true;
            begun_.erase(begun_.begin());
            ++slow_;
        }
        return running_ - slow_ < limits_.running;
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
        entry.lane = Lane::none;
        entry.running = true;
        ++running_;
        entry.began = runtime_.now();
        hooks_.started(seconds(entry.began - entry.added));
        begun_.emplace(entry.began, key);
        tasks.spawn(run_one(std::move(key)));
    }

    asio::awaitable<void> run_one(Key key) {
        std::exception_ptr failure;
        try {
            co_await work_(key);
        } catch (...) {
            failure = std::current_exception();
        }
        --running_;
        Entry& entry = entries_[key];
        hooks_.done(seconds(runtime_.now() - entry.began));
        entry.running = false;
        begun_.erase({entry.began, key});
        slow_ -= std::exchange(entry.slow, false) ? 1 : 0;
        if (entry.lane != Lane::none)
            line_up(key, entry.lane);
        else if (!entry.due)
            entries_.erase(key);
        changed_.notify();
        if (failure)
            std::rethrow_exception(failure);
    }

    static double seconds(rt::Duration d) { return std::chrono::duration<double>(d).count(); }

    rt::Runtime& runtime_;
    QueueLimits limits_;
    Work work_;
    QueueHooks hooks_;
    FlowOf flow_of_;
    std::unordered_map<Key, Entry> entries_;
    Lines<Key> front_;
    Lines<Key> background_;
    bool backgrounds_turn_ = false; // it had the last one
    std::size_t overtaken_ = 0;     // places in the background
    std::set<std::pair<rt::TimePoint, Key>> due_;
    std::set<std::pair<rt::TimePoint, Key>> begun_; // of those that run, and are not slow
    std::size_t slow_ = 0;
    rt::Event changed_;
    std::size_t running_ = 0;
    bool closed_ = false;
};

} // namespace oco::work
