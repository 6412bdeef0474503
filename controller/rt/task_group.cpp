#include "rt/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cassert>
#include <utility>

namespace oco::rt {
namespace {

bool is_cancellation(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& exception) {
        return rt::is_cancellation(exception);
    } catch (...) {
        return false;
    }
}

// A task starts in a turn of its own: if it were cancelled before its first wait, say by itself,
// co_spawn of Boost 1.81 would throw out of the loop.
asio::awaitable<void> begin(asio::awaitable<void> task) {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_await std::move(task);
}

} // namespace

bool is_cancellation(const std::exception& exception) {
    const auto* error = dynamic_cast<const boost::system::system_error*>(&exception);
    return error != nullptr && error->code() == asio::error::operation_aborted;
}

TaskGroup::~TaskGroup() {
    assert(tasks_.empty() && "join a task group before it goes");
}

void TaskGroup::spawn(asio::awaitable<void> task) {
    if (cancelled_)
        return;
    const auto entry = tasks_.emplace(tasks_.end());
    asio::co_spawn(runtime_.executor(), begin(std::move(task)),
                   asio::bind_cancellation_slot(entry->slot(),
                                                [this, entry](const std::exception_ptr& failure) {
                                                    finish(entry, failure);
                                                }));
}

void TaskGroup::finish(Tasks::iterator task, const std::exception_ptr& failure) {
    tasks_.erase(task);
    if (failure && !is_cancellation(failure)) {
        if (!failure_)
            failure_ = failure;
        cancel();
    }
    changed_.notify();
}

void TaskGroup::cancel() {
    if (std::exchange(cancelled_, true))
        return;
    // Emitting may end a task at once, which takes it out of the list.
    for (auto it = tasks_.begin(); it != tasks_.end();) {
        const auto current = it++;
        current->emit(asio::cancellation_type::terminal);
    }
}

asio::awaitable<void> TaskGroup::join() {
    while (!tasks_.empty())
        co_await changed_.wait();
    if (failure_)
        std::rethrow_exception(std::exchange(failure_, nullptr));
}

} // namespace oco::rt
