// Structured concurrency: every task has an owner, and the owner joins it.
#pragma once

#include "rt/event.hpp"
#include "rt/runtime.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <exception>
#include <list>

namespace oco::rt {

// Whether this is how a cancelled coroutine ends: not a failure, and not to be swallowed.
bool is_cancellation(const std::exception& exception);

// The group must outlive its tasks: cancel() and join() before it is destroyed. A task that ends
// with an exception other than cancellation cancels the group, and join() throws it.
class TaskGroup {
  public:
    explicit TaskGroup(Runtime& runtime) : runtime_(runtime), changed_(runtime) {}

    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup();

    // No-op once cancelled.
    void spawn(asio::awaitable<void> task);
    // Cancels each task once: one that cleans up after that, and joins its own tasks, is not cut
    // off.
    void cancel();
    // Until all tasks have ended.
    asio::awaitable<void> join();

    [[nodiscard]] std::size_t size() const { return tasks_.size(); }

    [[nodiscard]] bool cancelled() const { return cancelled_; }

  private:
    using Tasks = std::list<asio::cancellation_signal>;
    void finish(Tasks::iterator task, const std::exception_ptr& failure);

    Runtime& runtime_;
    Tasks tasks_;
    Event changed_;
    std::exception_ptr failure_;
    bool cancelled_ = false;
};

} // namespace oco::rt
