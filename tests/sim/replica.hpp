// One replica of the operator: the whole program except for its sockets, as a process that can be
// started, told to stop, and killed at any moment.
#pragma once

#include "kube_model.hpp"
#include "operator.hpp"

#include <memory>
#include <string>

namespace oco::sim {

inline constexpr std::string_view kube_host = "kubernetes";
inline constexpr std::string_view operator_namespace = "operator";

// What a process sees of the simulated world: its own wall clock, its own dice, its own address.
class ProcessRuntime final : public rt::Runtime {
  public:
    ProcessRuntime(test::SimRuntime& time, Network& network, std::string address,
                   std::chrono::seconds wall_skew, std::uint64_t seed)
        : time_(time), network_(network), address_(std::move(address)), wall_skew_(wall_skew),
          dice_(seed, address_) {}

    asio::any_io_executor executor() override { return time_.executor(); }

    [[nodiscard]] rt::TimePoint now() const override { return time_.now(); }

    [[nodiscard]] WallTime wall_now() const override { return time_.wall_now() + wall_skew_; }

    void random_bytes(std::span<unsigned char> out) override {
        for (auto& byte : out)
            byte = static_cast<unsigned char>(dice_.bits());
    }

    asio::awaitable<void> sleep_until(rt::TimePoint when) override {
        return time_.sleep_until(when);
    }

    asio::awaitable<Result<std::unique_ptr<rt::Stream>>> connect(rt::Endpoint endpoint) override {
        return network_.connect(address_, std::move(endpoint));
    }

    void run_aside(std::function<void()> work, std::function<void()> done) override {
        time_.run_aside(std::move(work), std::move(done));
    }

  private:
    test::SimRuntime& time_;
    Network& network_;
    std::string address_;
    std::chrono::seconds wall_skew_;
    Dice dice_;
};

struct ReplicaOptions {
    std::string name;
    std::chrono::seconds wall_skew{0};
    std::uint64_t seed = 0;
    // What its token file holds, now.
    std::function<std::string()> token;
    // Told when a process has ended, with its exit code.
    std::function<void(int)> on_exit;
    std::vector<std::string> namespaces{}; // --namespace; empty: all
    std::string operator_namespace = std::string(sim::operator_namespace);
};

class Replica {
  public:
    Replica(test::SimRuntime& time, Network& network, ReplicaOptions options);
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;
    ~Replica();

    void start();
    // SIGTERM.
    void stop();
    // SIGKILL: nothing that it does from now on reaches anybody.
    void kill();

    [[nodiscard]] bool running() const { return process_ != nullptr; }

    // Whether it was told to stop, and has not ended yet.
    [[nodiscard]] bool stopping() const { return stopping_; }

    // On the network; empty when it does not run.
    [[nodiscard]] std::string address() const;
    [[nodiscard]] std::string metrics() const;
    // The page of /readyz; empty when it does not run.
    [[nodiscard]] ops::Reply readiness() const;

    // Frees what has ended. Not from within the simulated world.
    void reap();

    // Whether all that ever ran has ended.
    [[nodiscard]] bool quiet() const { return dying_.empty() && !running(); }

  private:
    class Process;

    void retire();

    test::SimRuntime& time_;
    Network& network_;
    ReplicaOptions options_;
    int starts_ = 0;
    bool stopping_ = false;
    std::unique_ptr<Process> process_;
    std::vector<std::unique_ptr<Process>> dying_;
};

} // namespace oco::sim
