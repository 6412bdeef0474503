// The operator as a whole, except for what belongs to a real process: its sockets, signals, files
// and environment are main.cpp's. A simulation runs the same on virtual time.
#pragma once

#include "kube/events.hpp"
#include "kube/lease.hpp"
#include "reconcile/controller.hpp"

#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <string>

namespace oco {

struct OperatorOptions {
    std::string host_name;
    bool leader_elect = true;
    std::string leader_election_id = "omni-connection-operator";
};

class Operator {
  public:
    // `runtime`, `metrics` and `offload` (for key derivation) outlive it.
    Operator(rt::Runtime& runtime, std::unique_ptr<kube::Client> client, ops::Metrics& metrics,
             boost::asio::thread_pool& offload, reconcile::Settings settings,
             OperatorOptions options);

    // Until stop(), then 0; or until there is no way to go on, then 1: the API server never
    // answered, or the Lease is lost. Then the process starts again, with nothing remembered.
    asio::awaitable<int> run();
    // As on SIGTERM: no new work, what is under way ends or is recorded, the Lease is released;
    // all within ten seconds.
    void stop();

    // Why it failed, for people; empty: it did not, or the log has told.
    [[nodiscard]] const std::string& failure() const { return failure_; }

    // For /healthz and /readyz: what is wrong, or empty.
    [[nodiscard]] std::string liveness_trouble() const;
    [[nodiscard]] std::string readiness_trouble() const;

    [[nodiscard]] ops::Snapshot snapshot() const { return controller_.snapshot(); }

  private:
    asio::awaitable<void> control();
    asio::awaitable<void> work();
    asio::awaitable<Result<void>> await_api_server();
    asio::awaitable<void> beat();
    asio::awaitable<void> shut_down();

    rt::Runtime& runtime_;
    rt::TaskGroup tasks_;
    rt::TaskGroup control_; // ends before the others
    std::unique_ptr<kube::Client> client_;
    kube::EventRecorder events_;
    std::unique_ptr<kube::LeaderElector> elector_; // null: no election
    reconcile::Controller controller_;
    rt::Event ended_;
    std::string failure_;
    bool failed_ = false;
    rt::TimePoint last_beat_;
};

} // namespace oco
