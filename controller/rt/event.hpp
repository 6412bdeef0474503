// Event: one coroutine waits until another notifies it of a change.
#pragma once

#include "rt/runtime.hpp"

#include <boost/asio/steady_timer.hpp>

namespace oco::rt {

// Remembers a notify() until the next wait(). One waiter at a time.
class Event {
  public:
    explicit Event(Runtime& runtime)
        : timer_(runtime.executor(), asio::steady_timer::time_point::max()) {}

    void notify() {
        notified_ = true;
        timer_.cancel();
    }

    // Throws operation_aborted when the coroutine is cancelled.
    asio::awaitable<void> wait();
    // The same, until `when` at the latest.
    asio::awaitable<void> wait_until(Runtime& runtime, TimePoint when);

  private:
    asio::steady_timer timer_; // never expires: cancelled to wake the waiter
    bool notified_ = false;
};

} // namespace oco::rt
