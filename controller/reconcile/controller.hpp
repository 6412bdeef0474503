// The reconcile loop: watches feed the Caches, changes become keys in two queues, and the
// reconcilers work them off.
#pragma once

#include "ops/liveness.hpp"
#include "reconcile/account/instance_reconciler.hpp"
#include "reconcile/connection/connection_reconciler.hpp"
#include "work/queue.hpp"

#include <memory>
#include <vector>

namespace oco::reconcile {

class Controller {
  public:
    Controller(rt::Runtime& runtime, kube::Client& client, kube::EventRecorder& events,
               ops::Metrics& metrics, boost::asio::thread_pool& offload, Settings settings,
               kube::LeaderElector* elector); // null: no election

    // Fills the stores, waits to lead, then reconciles: until cancelled, or until the Lease is
    // lost. When it is cancelled it cuts what is under way, and records that in the objects.
    asio::awaitable<void> run();
    // No new work; requests under way go on. See idle().
    void close();
    [[nodiscard]] bool idle() const;

    // After run(): all that was sent is recorded, so that the Lease may be released.
    [[nodiscard]] bool recorded() const { return recorded_; }

    // Whether all stores were filled at least once.
    [[nodiscard]] bool synced() const;
    // What stands in the way, for /readyz.
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
    void namespace_changed();
    void claim(const api::OmniConnection& object, const api::Target& target);
    void wake_connections_of(const ObjectKey& instance);

    template<class T>
    void watch(kube::Store<T>& store, const kube::Resource& resource,
               std::string_view field_selector, bool metadata_only,
               std::function<bool(const ObjectKey&)> keep = {});
    template<class T>
    void watch_one(kube::Store<T>& store, kube::WatchSpec spec,
                   std::function<bool(const ObjectKey&)> keep);
    asio::awaitable<void> contained(asio::awaitable<void> reconcile, work::Queue<ObjectKey>& queue,
                                    ObjectKey key);
    [[nodiscard]] bool is_waited_for(const kube::Watcher& watcher) const;
    asio::awaitable<void> wait_for_all(bool (kube::Watcher::*state)() const);
    asio::awaitable<void> wait_digest_key();
    asio::awaitable<void> lead();
    asio::awaitable<void> take_over();
    void work();
    asio::awaitable<void> record_rest();
    [[nodiscard]] std::map<std::string, std::vector<rt::TimePoint>> used_by_host() const;

    rt::Runtime& runtime_;
    kube::Client& client_;
    Settings settings_;
    DigestKey digest_key_;
    ops::Metrics& metrics_;
    Caches caches_;
    rt::TaskGroup tasks_;
    std::unique_ptr<InstanceReconciler> instances_;
    std::unique_ptr<ConnectionReconciler> connections_;
    std::unique_ptr<work::Queue<ObjectKey>> instance_queue_;
    std::unique_ptr<work::Queue<ObjectKey>> connection_queue_;
    std::vector<std::unique_ptr<kube::WatchSink>> feeds_;
    std::vector<std::unique_ptr<kube::Watcher>> watchers_;
    rt::Event progress_;
    std::string trouble_;
    kube::LeaderElector* elector_;
    Leadership leadership_;
    bool synced_ = false; // the stores are filled
    bool recorded_ = false;
    bool started_ = false; // and this process leads: changes lead to work
    bool watches_namespaces_ = false;
};

} // namespace oco::reconcile
