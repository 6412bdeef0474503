#include "rt/connect_race.hpp"

#include "rt/event.hpp"

#include <list>
#include <optional>

namespace oco::rt {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr Duration stagger = std::chrono::milliseconds(250);

// Outlives the handlers of its attempts, which its owner ends with close().
struct Race : std::enable_shared_from_this<Race> {
    using Attempt = std::list<tcp::socket>::iterator;

    // No lambda: an assertion of Asio's names it, with the directory of the build.
    struct Handler {
        std::shared_ptr<Race> race;
        Attempt attempt;

        void operator()(const error_code& failed) const { race->finish(attempt, failed); }
    };

    explicit Race(Runtime& runtime) : executor(runtime.executor()), changed(runtime) {}

    void start(const tcp::endpoint& endpoint) {
        const auto attempt = attempts.emplace(attempts.end(), executor);
        ++running;
        attempt->async_connect(endpoint, Handler{shared_from_this(), attempt});
    }

    void finish(Attempt attempt, const error_code& failed) {
        --running;
        if (failed)
            last_error = failed;
        else if (!winner)
            winner.emplace(std::move(*attempt));
        attempts.erase(attempt);
        changed.notify();
    }

    void close() {
        error_code ignored;
        for (auto& attempt : attempts)
            attempt.close(ignored);
    }

    asio::any_io_executor executor;
    Event changed;
    std::list<tcp::socket> attempts;
    std::size_t running = 0;
    std::optional<tcp::socket> winner;
    error_code last_error = asio::error::host_not_found;
};

} // namespace

asio::awaitable<Result<tcp::socket>> connect_to_first(Runtime& runtime, Addresses addresses,
                                                      std::uint16_t port) {
    const auto race = std::make_shared<Race>(runtime);
    const auto end = [](Race* ended) {
        ended->close();
    };
    const std::unique_ptr<Race, decltype(end)> owner(race.get(), end);
    auto next_start = runtime.now();
    for (auto next = addresses.begin(); !race->winner;) {
        const bool more = next != addresses.end();
        if (more && (race->running == 0 || runtime.now() >= next_start)) {
            race->start({*next++, port});
            next_start = runtime.now() + stagger;
        } else if (more) {
            co_await race->changed.wait_until(runtime, next_start);
        } else if (race->running != 0) {
            co_await race->changed.wait();
        } else {
            co_return make_error(ErrorClass::unavailable, race->last_error.message());
        }
    }
    co_return std::move(*race->winner);
}

} // namespace oco::rt
