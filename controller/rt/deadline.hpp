// with_deadline: the one way to bound a wait.
#pragma once

#include "rt/runtime.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <optional>

namespace oco::rt {

namespace detail {

// parallel_group wants default-constructible results, which Result<T> is not for every T.
template<class T>
asio::awaitable<std::optional<Result<T>>> optional_result(asio::awaitable<Result<T>> operation) {
    co_return co_await std::move(operation);
}

} // namespace detail

// Runs `operation`; when it has not finished after `limit`, cancels it and yields `unavailable`
// with "no response within N s". The awaitable operator || is not used: it loses errors and waits
// for the loser.
template<class T>
asio::awaitable<Result<T>> with_deadline(Runtime& runtime, Duration limit,
                                         asio::awaitable<Result<T>> operation) {
    const auto executor = runtime.executor();
    auto [order, failure, result, timer_failure] =
        co_await asio::experimental::make_parallel_group(
            asio::co_spawn(executor, detail::optional_result(std::move(operation)), asio::deferred),
            asio::co_spawn(executor, runtime.sleep(limit), asio::deferred))
            .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (order[0] == 0) {
        if (failure)
            std::rethrow_exception(failure);
        co_return std::move(*result);
    }
    if (timer_failure) // cancelled from outside
        std::rethrow_exception(timer_failure);
    if (!failure && result && result->has_value()) // both were ready: nothing is lost
        co_return std::move(*result);
    const auto seconds = std::chrono::duration<double>(limit).count();
    std::string text = std::to_string(seconds);
    text.resize(text.find('.') + 2);
    co_return make_error(ErrorClass::unavailable, "no response within " + text + " s");
}

} // namespace oco::rt
