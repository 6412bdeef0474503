// A Runtime on virtual time: hours pass in milliseconds, and every run is the same. It has no
// network.
#pragma once

#include "rt/runtime.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <functional>
#include <map>
#include <random>

namespace oco::test {

class SimRuntime final : public rt::Runtime {
  public:
    explicit SimRuntime(std::uint64_t seed = 1) : random_(seed) {}

    asio::any_io_executor executor() override { return context_.get_executor(); }

    [[nodiscard]] rt::TimePoint now() const override { return now_; }

    [[nodiscard]] WallTime wall_now() const override {
        return WallTime(std::chrono::seconds(1'800'000'000)) +
               std::chrono::duration_cast<WallTime::duration>(now_.time_since_epoch());
    }

    void random_bytes(std::span<unsigned char> out) override {
        for (auto& byte : out)
            byte = static_cast<unsigned char>(random_());
    }

    asio::awaitable<Result<std::unique_ptr<rt::Stream>>> connect(rt::Endpoint endpoint) override {
        co_return make_error(ErrorClass::unavailable, "no network: " + endpoint.authority());
    }

    // Half a second of work.
    void run_aside(std::function<void()> work, std::function<void()> done) override {
        after(std::chrono::milliseconds(500), [work = std::move(work), done = std::move(done)] {
            work();
            done();
        });
    }

    asio::awaitable<void> sleep_until(rt::TimePoint when) override {
        if (when > now_) {
            asio::steady_timer timer(context_, asio::steady_timer::time_point::max());
            const Sleeper sleeper{*this, at(when, [&timer] { timer.cancel(); })};
            co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        } else {
            co_await asio::post(context_, asio::use_awaitable);
        }
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
    }

    // What is to happen at a time, in the order of their times, then of these calls.
    using Entry = std::pair<rt::TimePoint, std::uint64_t>;

    Entry at(rt::TimePoint when, std::function<void()> what) {
        const Entry entry{std::max(when, now_), ++entries_};
        agenda_.emplace(entry, std::move(what));
        return entry;
    }

    Entry after(rt::Duration delay, std::function<void()> what) {
        return at(now_ + delay, std::move(what));
    }

    void forget(const Entry& entry) { agenda_.erase(entry); }

    // Runs what is ready, and lets time jump from one entry to the next, up to `until`.
    void run_until(rt::TimePoint until) {
        for (;;) {
            context_.restart();
            context_.poll();
            if (agenda_.empty() || agenda_.begin()->first.first > until)
                break;
            now_ = agenda_.begin()->first.first;
            asio::post(context_, std::move(agenda_.extract(agenda_.begin()).mapped()));
        }
        now_ = std::max(now_, until);
    }

    void run_for(rt::Duration duration) { run_until(now_ + duration); }

  private:
    struct Sleeper {
        SimRuntime& owner;
        Entry entry;

        ~Sleeper() { owner.forget(entry); }
    };

    asio::io_context context_{1};
    rt::TimePoint now_{std::chrono::hours(1)};
    std::uint64_t entries_ = 0;
    std::map<Entry, std::function<void()>> agenda_;
    std::mt19937_64 random_;
};

} // namespace oco::test
