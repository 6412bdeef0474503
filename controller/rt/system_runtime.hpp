// The real Runtime: the system's clocks, OpenSSL's random numbers, TCP and TLS.
#pragma once

#include "rt/name_lookup.hpp"
#include "rt/runtime.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <memory>

namespace oco::rt {

class SystemRuntime final : public Runtime {
  public:
    // Outlives what it has connected.
    explicit SystemRuntime(asio::io_context& context, DnsSettings dns = {})
        : context_(context), names_(*this, std::move(dns)) {}

    asio::any_io_executor executor() override { return context_.get_executor(); }

    [[nodiscard]] TimePoint now() const override;
    [[nodiscard]] WallTime wall_now() const override;
    void random_bytes(std::span<unsigned char> out) override;
    asio::awaitable<void> sleep_until(TimePoint when) override;
    asio::awaitable<Result<std::unique_ptr<Stream>>> connect(Endpoint endpoint) override;
    void run_aside(std::function<void()> work, std::function<void()> done) override;

    // Whether something still runs aside, which the destructor waits for.
    [[nodiscard]] bool busy_aside() const { return *aside_ > 0; }

  private:
    asio::awaitable<Result<asio::ip::tcp::socket>> connect_tcp(std::string host,
                                                               std::uint16_t port);
    // A connection to the proxy that has become one to `target`.
    asio::awaitable<Result<asio::ip::tcp::socket>>
    connect_through(std::shared_ptr<const net::Proxy> proxy, std::string target);

    asio::io_context& context_;
    NameLookup names_;
    std::shared_ptr<std::atomic<int>> aside_ = std::make_shared<std::atomic<int>>(0);
    asio::thread_pool pool_{2};
};

} // namespace oco::rt
