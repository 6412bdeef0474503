#include "model_server.hpp"

#include "steps.hpp"

namespace oco::conformance {
namespace {

constexpr std::string_view known_token = "known";

std::unique_ptr<kube::Client> make_client(rt::Runtime& runtime, std::string_view token) {
    kube::ClientConfig config;
    config.server = {.scheme = net::Scheme::http,
                     .host = std::string(sim::kube_host),
                     .port = 80,
                     .path_prefix = ""};
    config.token = SecretBytes(token);
    config.source = "model";
    return must(kube::Client::make(
        runtime, std::move(config),
        [](const std::string&) -> Result<SecretBytes> {
            return make_error(ErrorClass::not_found, "no files");
        },
        [](std::string_view, int, rt::Duration) {}));
}

} // namespace

// What stands between the network and the model.
class ModelServer::FaultyServer final : public sim::Server {
  public:
    FaultyServer(sim::KubeModel& model, const FaultyModel& fault) : model_(model), fault_(fault) {}

    sim::Accept accept() override { return model_.accept(); }

    void request(sim::HttpRequest request, sim::ChannelPointer channel) override {
        fault_.twist(request);
        model_.request(std::move(request), std::move(channel));
    }

  private:
    sim::KubeModel& model_;
    const FaultyModel& fault_;
};

ModelServer::ModelServer(std::uint64_t seed, const FaultyModel* fault)
    : time_(seed), network_(time_, seed), kube_(time_, seed), fault_(fault),
      runtime_(time_, network_, "conformance", std::chrono::seconds(0), seed),
      http_(runtime_, {.host = std::string(sim::kube_host), .port = 80}, {}) {
    kube_.tokens.emplace(known_token);
    if (fault != nullptr)
        front_ = std::make_unique<FaultyServer>(kube_, *fault);
    network_.listen(std::string(sim::kube_host),
                    front_ ? *front_ : static_cast<sim::Server&>(kube_));
    client_ = make_client(runtime_, known_token);
    stranger_ = make_client(runtime_, "unknown");
    kube_.apply("namespaces", "", "default", {});
    kube_.compact(); // a server that has run for a while
}

asio::awaitable<Result<http::Response>> ModelServer::send(http::Request request) {
    request.bearer = SecretBytes(known_token);
    return http_.send(std::move(request), kube::request_deadline);
}

// The model knows no DELETE, which the operator must not use.
asio::awaitable<Result<void>> ModelServer::remove(kube::Resource resource, std::string ns,
                                                  std::string name) {
    const bool forgotten =
        fault_ != nullptr && fault_->deletions == FaultyModel::Deletions::forgotten;
    if (!forgotten && !kube_.remove(resource.plural, ns, name))
        co_return make_error(ErrorClass::not_found, "nothing to delete");
    co_return Result<void>();
}

asio::awaitable<std::string> ModelServer::expired_continue_token(kube::Resource resource,
                                                                 std::string ns) {
    for (const char* name : {"expired-1", "expired-2"})
        kube_.apply(resource.plural, ns, name, {});
    const auto page = co_await list(*this, resource, ns, "limit=1");
    kube_.compact();
    co_return std::string(json::string_at(page, {"metadata", "continue"}));
}

} // namespace oco::conformance
