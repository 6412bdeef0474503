// The real Runtime: the system's clocks, OpenSSL's random numbers, TCP and TLS.
#pragma once

#include "rt/runtime.hpp"

#include <boost/asio/io_context.hpp>

namespace oco::rt {

class SystemRuntime final : public Runtime {
  public:
    explicit SystemRuntime(asio::io_context& context) : context_(context) {}

    asio::any_io_executor executor() override { return context_.get_executor(); }

    [[nodiscard]] TimePoint now() const override;
    [[nodiscard]] WallTime wall_now() const override;
    void random_bytes(std::span<unsigned char> out) override;
    asio::awaitable<void> sleep_until(TimePoint when) override;
    asio::awaitable<Result<std::unique_ptr<Stream>>> connect(Endpoint endpoint) override;

  private:
    asio::io_context& context_;
};

} // namespace oco::rt
