// A real kube-apiserver, on the real clock.
#pragma once

#include "rt/system_runtime.hpp"
#include "server.hpp"

namespace oco::conformance {

class RealServer final : public Server {
  public:
    // As the administrator of the kubeconfig. The server has forgotten what was before its start.
    static Result<std::unique_ptr<RealServer>> make(asio::io_context& context,
                                                    const std::string& kubeconfig);

    rt::Runtime& runtime() override { return runtime_; }

    kube::Client& client() override { return *client_; }

    kube::Client& stranger() override { return *stranger_; }

    asio::awaitable<Result<void>> remove(kube::Resource resource, std::string ns,
                                         std::string name) override;
    asio::awaitable<std::string> expired_continue_token(kube::Resource resource,
                                                        std::string ns) override;

  protected:
    asio::awaitable<Result<http::Response>> send(http::Request request) override;

  private:
    explicit RealServer(asio::io_context& context) : runtime_(context) {}

    rt::SystemRuntime runtime_;
    std::unique_ptr<kube::Client> client_;
    std::unique_ptr<kube::Client> stranger_;
    std::unique_ptr<http::Client> http_; // for what kube::Client does not do
    SecretBytes token_;
};

} // namespace oco::conformance
