#include "replica.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

namespace oco::sim {
namespace {

kube::ClientConfig client_config() {
    kube::ClientConfig config;
    config.server = {
        .scheme = net::Scheme::http, .host = std::string(kube_host), .port = 80, .path_prefix = ""};
    config.token_file = "token";
    config.source = "simulation";
    return config;
}

reconcile::Settings settings(const ReplicaOptions& options) {
    auto hosts = reconcile::AllowedHosts::parse("*.omniapp.co:80");
    return {.allowed_hosts = *hosts,
            .allow_http = true,
            .namespaces = options.namespaces,
            .operator_namespace = options.operator_namespace,
            .user_agent = "simulation"};
}

} // namespace

class Replica::Process {
  public:
    Process(test::SimRuntime& time, Network& network, const ReplicaOptions& options, int number)
        : address(options.name + "-" + std::to_string(number)),
          runtime_(time, network, address, options.wall_skew, options.seed),
          operator_(runtime_,
                    *kube::Client::make(
                        runtime_, client_config(),
                        [token = options.token](const std::string&) -> Result<SecretBytes> {
                            return SecretBytes(token());
                        },
                        [](std::string_view, int, rt::Duration) {}),
                    metrics_, settings(options), {.host_name = address}),
          tasks_(runtime_) {
        metrics_.on_scrape([this] { return operator_.snapshot(); });
    }

    void start(std::function<void(int)> on_exit) {
        on_exit_ = std::move(on_exit);
        tasks_.spawn(run());
    }

    void stop() { operator_.stop(); }

    void cancel() {
        on_exit_ = {};
        tasks_.cancel();
    }

    [[nodiscard]] bool ended() const { return tasks_.size() == 0; }

    [[nodiscard]] std::string scrape() const { return metrics_.scrape(); }

    [[nodiscard]] ops::Reply readiness() const { return operator_.readiness(); }

    const std::string address;

  private:
    asio::awaitable<void> run() {
        const int code = co_await operator_.run();
        if (const auto told = std::exchange(on_exit_, {}))
            told(code);
    }

    ProcessRuntime runtime_;
    ops::Metrics metrics_;
    Operator operator_;
    rt::TaskGroup tasks_;
    std::function<void(int)> on_exit_;
};

Replica::Replica(test::SimRuntime& time, Network& network, ReplicaOptions options)
    : time_(time), network_(network), options_(std::move(options)) {}

Replica::~Replica() = default;

void Replica::start() {
    if (running())
        return;
    stopping_ = false;
    process_ = std::make_unique<Process>(time_, network_, options_, ++starts_);
    process_->start([this](int code) {
        retire();
        options_.on_exit(code);
    });
}

void Replica::stop() {
    if (!running())
        return;
    stopping_ = true;
    process_->stop();
}

void Replica::kill() {
    if (!running())
        return;
    network_.kill(process_->address);
    retire();
}

// The process object lives until all its coroutines have ended.
void Replica::retire() {
    network_.kill(process_->address);
    process_->cancel();
    dying_.push_back(std::move(process_));
}

void Replica::reap() {
    std::erase_if(dying_, [](const auto& process) { return process->ended(); });
}

std::string Replica::address() const {
    return running() ? process_->address : std::string();
}

std::string Replica::metrics() const {
    return running() ? process_->scrape() : std::string();
}

ops::Reply Replica::readiness() const {
    return running() ? process_->readiness() : ops::Reply{.status = 0};
}

} // namespace oco::sim
