// Everything that reaches outside the process: time, randomness and the network. The real one
// (system_runtime.hpp) is made in main; tests run the same code on virtual time.
#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "rt/stream.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace oco::rt {

using Duration = std::chrono::nanoseconds;
// Monotonic; its zero means nothing.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Runtime {
  public:
    Runtime() = default;
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;
    virtual ~Runtime() = default;

    // One thread runs it: code needs no locks.
    virtual asio::any_io_executor executor() = 0;

    [[nodiscard]] virtual TimePoint now() const = 0;
    [[nodiscard]] virtual WallTime wall_now() const = 0;

    // Cryptographically strong.
    virtual void random_bytes(std::span<unsigned char> out) = 0;

    // Throws operation_aborted when the coroutine is cancelled.
    virtual asio::awaitable<void> sleep_until(TimePoint when) = 0;

    asio::awaitable<void> sleep(Duration duration) { return sleep_until(now() + duration); }

    // Resolves, connects and, where asked, opens the tunnel through the proxy (which then does the
    // resolving) and completes the TLS handshake. No deadline of its own: wrap it in
    // with_deadline.
    virtual asio::awaitable<Result<std::unique_ptr<Stream>>> connect(Endpoint endpoint) = 0;

    // For what takes the processor for too long: runs `work` on another thread, then `done` on this
    // one. Both are to own what they use: at its end the process does not wait for them. A runtime
    // with one thread only runs them at once.
    virtual void run_aside(std::function<void()> work, std::function<void()> done);

    // In [0, 1).
    double random_unit();
    // 16 hexadecimal digits, for unique names.
    std::string random_name();
};

} // namespace oco::rt
