// The simulation's model of the API server (tests/sim/kube_model.hpp), on virtual time.
#pragma once

#include "server.hpp"
#include "sim/replica.hpp"

namespace oco::conformance {

// One thing that the model does wrong, so that it is seen which cases notice. Applied to requests
// before the model sees them.
struct FaultyModel {
    std::string_view name;
    void (*twist)(sim::HttpRequest& request);
    enum class Deletions { carried_out, forgotten } deletions = Deletions::carried_out;
};

const std::vector<FaultyModel>& all_faulty_models();

class ModelServer final : public Server {
  public:
    // With no fault when that is null.
    ModelServer(std::uint64_t seed, const FaultyModel* fault);

    rt::Runtime& runtime() override { return runtime_; }

    kube::Client& client() override { return *client_; }

    kube::Client& stranger() override { return *stranger_; }

    asio::awaitable<Result<void>> remove(kube::Resource resource, std::string ns,
                                         std::string name) override;
    asio::awaitable<std::string> expired_continue_token(kube::Resource resource,
                                                        std::string ns) override;

    test::SimRuntime& time() { return time_; }

  protected:
    asio::awaitable<Result<http::Response>> send(http::Request request) override;

  private:
    class FaultyServer;

    test::SimRuntime time_;
    sim::Network network_;
    sim::KubeModel kube_;
    const FaultyModel* fault_;
    std::unique_ptr<sim::Server> front_;
    sim::ProcessRuntime runtime_;
    std::unique_ptr<kube::Client> client_;
    std::unique_ptr<kube::Client> stranger_;
    http::Client http_;
};

} // namespace oco::conformance
