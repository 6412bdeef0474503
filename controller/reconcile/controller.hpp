// The reconcile loop: watches feed the Caches, changes become keys in two queues, and the
// reconcilers process them.
#pragma once

#include "ops/liveness.hpp"
#include "reconcile/account/instance_reconciler.hpp"
#include "reconcile/cluster/change_pace.hpp"
#include "reconcile/cluster/crd_check.hpp"
#include "reconcile/cluster/watches.hpp"
#include "reconcile/connection/connection_reconciler.hpp"
#include "work/queue.hpp"

#include <memory>
#include <vector>

namespace oco::reconcile {

// What one that has lost the Lease knows, and no status says.
struct Handover {
    Budgets spent;
    Watches::Versions versions;
};

class Controller {
  public:
    Controller(rt::Runtime& runtime, kube::Client& client, kube::EventRecorder& events,
               ops::Metrics& metrics, Settings settings,
               kube::LeaderElector* elector, // null: no election
               Handover before = {});

    // Fills the stores, waits to lead, then reconciles: until cancelled, or until the Lease is
    // lost. On cancellation it cuts off requests in flight, and records that in the objects.
    asio::awaitable<void> run();
    // No new work; requests in flight continue. See idle().
    void close();
    [[nodiscard]] bool idle() const;

    // After run(): for the next one in this process.
    [[nodiscard]] Handover handover() const;

    // After run(): all that was sent is recorded, so that the Lease may be released; and what is to
    // be said of it then. nullopt: it may not.
    [[nodiscard]] const std::optional<std::string>& unsettled() const { return unsettled_; }

    // Whether the stores were filled once, with all that can be read.
    [[nodiscard]] bool synced() const;
    // What is missing, for /readyz; empty: nothing, or what is under way.
    [[nodiscard]] std::string trouble() const;
    // For each scrape.
    [[nodiscard]] ops::Snapshot snapshot() const;
    // For /healthz.
    [[nodiscard]] std::vector<ops::WatchLife> watches() const;

  private:
    using Connection = kube::Store<api::OmniConnection>::Pointer;
    using Instance = kube::Store<api::OmniInstance>::Pointer;
    using Secret = kube::Store<kube::SecretMeta>::Pointer;
    using Namespace = kube::Store<NamespaceMeta>::Pointer;

    void connection_changed(const Connection& before, const Connection& after);
    void instance_changed(const Instance& before, const Instance& after);
    void secret_changed(const Secret& before, const Secret& after);
    void namespace_changed(const Namespace& before, const Namespace& after);
    void watch_state_changed(const std::string& ns);
    void wake_connections_of(const ObjectKey& instance);

    asio::awaitable<void> contained(asio::awaitable<void> reconcile, work::Queue<ObjectKey>& queue,
                                    ObjectKey key);
    asio::awaitable<void> report_missing_namespaces();
    asio::awaitable<void> wait_digest_key();
    asio::awaitable<void> begin();
    asio::awaitable<void> lead();
    asio::awaitable<void> take_over();
    void work();
    asio::awaitable<void> flush_statuses();
    [[nodiscard]] std::map<std::string, std::vector<rt::TimePoint>> used_by_host() const;

    rt::Runtime& runtime_;
    kube::Client& client_;
    Settings settings_;
    DigestKey digest_key_;
    std::unique_ptr<StatusSink> statuses_;
    ops::Metrics& metrics_;
    Caches caches_;
    rt::TaskGroup tasks_;
    kube::SecretReader secret_reader_;
    std::unique_ptr<InstanceReconciler> instances_;
    std::unique_ptr<ConnectionReconciler> connections_;
    std::unique_ptr<work::Queue<ObjectKey>> instance_queue_;
    std::unique_ptr<work::Queue<ObjectKey>> connection_queue_;
    Watches watches_;
    ChangePace secret_pace_;
    std::string trouble_; // what is waited for
    CrdCheck crds_;
    kube::LeaderElector* elector_;
    Watches::Versions versions_before_; // of the one before, in this process
    Leadership leadership_;
    bool synced_ = false; // the stores were filled
    std::optional<std::string> unsettled_;
    bool started_ = false; // and this process leads: changes lead to work
};

} // namespace oco::reconcile
