// The operator as a whole, except for what belongs to a real process: its sockets, signals, files
// and environment are main.cpp's. A simulation runs the same on virtual time.
#pragma once

#include "kube/events.hpp"
#include "kube/lease.hpp"
#include "ops/http_server.hpp"
#include "reconcile/controller.hpp"

#include <memory>
#include <string>

namespace oco {

struct OperatorOptions {
    std::string host_name;
    bool leader_elect = true;
    std::string leader_election_id = "omni-connection-operator";
    kube::LeaseTimes lease_times;
};

class Operator {
  public:
    // `runtime` and `metrics` outlive it.
    Operator(rt::Runtime& runtime, std::unique_ptr<kube::Client> client, ops::Metrics& metrics,
             reconcile::Settings settings, OperatorOptions options);

    // Runs until stop(), then returns 0; or until it can't continue, then 1: the API server never
    // responded. When the Lease is lost, all that is known is forgotten except for what was spent,
    // as in a process that starts again: another may lead, and what it writes is newer.
    asio::awaitable<int> run();
    // As on SIGTERM: no new work, requests in flight end or are recorded, the Lease is released;
    // all within ten seconds.
    void stop();

    // Why it failed, for people; empty: it did not, or it is already in the log.
    [[nodiscard]] const std::string& failure() const { return failure_; }

    // For /healthz: what is wrong, or empty.
    [[nodiscard]] std::string liveness_trouble() const;
    // The page of /readyz. Ready is who knows all that can be read; what can't is named.
    [[nodiscard]] ops::Reply readiness() const;

    [[nodiscard]] ops::Snapshot snapshot() const { return controller_->snapshot(); }

  private:
    std::unique_ptr<reconcile::Controller> make_controller(reconcile::Handover before);
    asio::awaitable<void> control();
    asio::awaitable<void> work();
    asio::awaitable<Result<void>> await_api_server();
    asio::awaitable<void> beat();
    asio::awaitable<void> shut_down();

    rt::Runtime& runtime_;
    ops::Metrics& metrics_;
    reconcile::Settings settings_;
    rt::TaskGroup tasks_;
    rt::TaskGroup control_; // ends before the others
    std::unique_ptr<kube::Client> client_;
    kube::EventRecorder events_;
    std::unique_ptr<kube::LeaderElector> elector_;      // null: no election
    std::unique_ptr<reconcile::Controller> controller_; // never null
    rt::Event ended_;
    std::string failure_;
    bool failed_ = false;
    bool stopping_ = false;
    rt::TimePoint last_beat_;
};

} // namespace oco
