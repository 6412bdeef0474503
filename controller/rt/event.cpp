#include "rt/event.hpp"

#include "rt/deadline.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>

namespace oco::rt {

asio::awaitable<void> Event::wait() {
    while (!notified_) {
        co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
    }
    notified_ = false;
}

namespace {

asio::awaitable<Result<void>> as_result(asio::awaitable<void> operation) {
    co_await std::move(operation);
    co_return Result<void>();
}

} // namespace

asio::awaitable<void> Event::wait_until(Runtime& runtime, TimePoint when) {
    const Duration left = when - runtime.now();
    if (!notified_ && left > Duration::zero())
        co_await with_deadline(runtime, left, as_result(wait()));
    notified_ = false;
}

} // namespace oco::rt
