// A Runtime on virtual time whose connections answer from a script: what a server sends, in which
// pieces, and when it hangs up.
#pragma once

#include "sim_runtime.hpp"

#include <boost/asio/co_spawn.hpp>

#include <deque>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace oco::test {

// The answer to one request. Each piece is what one read gives.
struct Reply {
    enum class Then { stays_open, closes, fails };

    std::vector<std::string> pieces;
    Then then = Then::stays_open;
    rt::Duration after = rt::Duration::zero(); // before the first piece
};

// One connection: its replies, in order; after them it is silent.
struct Connection {
    std::deque<Reply> replies;
    std::optional<Error> refused = std::nullopt; // it never comes to be
    bool seems_open = true;                      // while idle
};

inline std::string http_answer(const std::string& status, const std::string& body,
                               const std::string& headers = "") {
    return "HTTP/1.1 " + status + "\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline Reply answers(const std::string& status, const std::string& body,
                     const std::string& headers = "") {
    return {.pieces = {http_answer(status, body, headers)}};
}

class ScriptedNetwork final : public rt::Runtime {
  public:
    std::deque<Connection> connections;  // the next ones to be made
    std::vector<rt::Endpoint> endpoints; // of those that were asked for
    std::vector<std::string> requests;   // as they were written, on whichever connection

    asio::any_io_executor executor() override { return time_.executor(); }

    [[nodiscard]] rt::TimePoint now() const override { return time_.now(); }

    [[nodiscard]] WallTime wall_now() const override { return time_.wall_now(); }

    void random_bytes(std::span<unsigned char> out) override { time_.random_bytes(out); }

    asio::awaitable<void> sleep_until(rt::TimePoint when) override {
        return time_.sleep_until(when);
    }

    asio::awaitable<Result<std::unique_ptr<rt::Stream>>> connect(rt::Endpoint endpoint) override {
        endpoints.push_back(std::move(endpoint));
        if (connections.empty())
            co_return make_error(ErrorClass::unavailable, "a connection beyond the script");
        Connection next = std::move(connections.front());
        connections.pop_front();
        if (next.refused)
            co_return *next.refused;
        co_return std::make_unique<ScriptedStream>(*this, std::move(next));
    }

    // Runs the call to its end, and time no further than that (to 10 ms).
    template<class T>
    Result<T> run(asio::awaitable<Result<T>> call) {
        std::optional<Result<T>> result;
        std::exception_ptr failure;
        asio::co_spawn(executor(), store(std::move(call), result),
                       [&failure](std::exception_ptr e) { failure = std::move(e); });
        pass(rt::Duration::zero());
        for (const auto limit = now() + std::chrono::minutes(5);
             !result && !failure && now() < limit;)
            pass(std::chrono::milliseconds(10));
        if (failure)
            std::rethrow_exception(failure);
        return result ? std::move(*result)
                      : Result<T>(make_error(ErrorClass::invalid, "the call never ended"));
    }

    void pass(rt::Duration time) { time_.run_for(time); }

  private:
    class ScriptedStream final : public rt::Stream {
      public:
        ScriptedStream(ScriptedNetwork& network, Connection script)
            : network_(network), script_(std::move(script)) {}

        asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
            if (current_.after > rt::Duration::zero())
                co_await network_.sleep(std::exchange(current_.after, rt::Duration::zero()));
            if (next_piece_ == current_.pieces.size()) {
                if (current_.then == Reply::Then::fails)
                    co_return make_error(ErrorClass::unavailable, "read: connection reset");
                if (current_.then == Reply::Then::closes)
                    co_return std::size_t{0};
                co_await network_.sleep_until(rt::TimePoint::max());
            }
            std::string& piece = current_.pieces[next_piece_];
            const auto size = std::min(into.size(), piece.size());
            std::copy_n(piece.data(), size, into.data());
            piece.erase(0, size);
            if (piece.empty())
                ++next_piece_;
            co_return size;
        }

        asio::awaitable<Result<void>> write(std::string_view bytes) override {
            network_.requests.emplace_back(bytes);
            if (!script_.replies.empty()) {
                current_ = std::move(script_.replies.front());
                script_.replies.pop_front();
                next_piece_ = 0;
            }
            co_return Result<void>();
        }

        bool idle_and_open() override { return script_.seems_open; }

        void close() noexcept override {}

      private:
        ScriptedNetwork& network_;
        Connection script_;
        Reply current_;
        std::size_t next_piece_ = 0;
    };

    template<class T>
    static asio::awaitable<void> store(asio::awaitable<Result<T>> call,
                                       std::optional<Result<T>>& result) {
        result.emplace(co_await std::move(call));
    }

    SimRuntime time_;
};

} // namespace oco::test
