// Makes Omni connections equal to their OmniConnections: keeps what is known of each, has a
// Reconciliation decide and act, and writes the status that says what came of it.
#pragma once

#include "reconcile/account/instance_reconciler.hpp"
#include "reconcile/cluster/caches.hpp"
#include "reconcile/cluster/unseen_versions.hpp"
#include "reconcile/connection/claims.hpp"
#include "reconcile/connection/connection_state.hpp"
#include "reconcile/connection/derivations.hpp"
#include "reconcile/connection/sender.hpp"
#include "reconcile/connection/targets.hpp"
#include "reconcile/status/status_writer.hpp"

#include <functional>
#include <memory>

namespace oco::reconcile {

class ConnectionReconciler {
  public:
    struct Hooks {
        std::function<void(const ObjectKey&, rt::TimePoint)> requeue_at;
        std::function<void(const ObjectKey&)> requeue;
        // A Secret was read that the watch has not shown: nobody named it before.
        std::function<void(const kube::ObjectMeta&)> secret_seen;
    };

    ConnectionReconciler(Services services, const Caches& caches, InstanceReconciler& instances,
                         rt::TaskGroup& tasks, Hooks hooks);

    // This process begins to send: takes up what all statuses say, so that all claims are known
    // before the first push.
    void begin();

    asio::awaitable<void> reconcile(ObjectKey key);

    // The watch has delivered an object, or its deletion (null); after begin().
    void object_changed(const ObjectKey& key, const api::OmniConnection* object);
    // Its status alone is another. Its key comes again if somebody has edited our part.
    void status_delivered(const api::OmniConnection& object);
    // What an OmniInstance allows, or what its key may see, is another: all its connections' claims
    // and names are looked at again, before anybody acts on them; or those of one namespace.
    void instance_changed(const ObjectKey& instance, const std::string& only_in = {});

    // A namespace that could not be read was read.
    void namespaces_read() { claims_.wake_undecided(); }

    // A Secret that the object names has changed: for omni_rotation_latency_seconds.
    void secret_changed(const ObjectKey& key);

    // At the end of the process, once all work was cut: writes what the statuses lack, for each
    // PATCH that was cut that nobody knows its outcome. True: all that was sent is recorded.
    asio::awaitable<bool> flush_statuses(rt::Duration limit);

    // Where something that was sent, for objects that are gone as well, may still be carried out.
    [[nodiscard]] std::string unsettled() const {
        return targets_.unsettled(services_.runtime.now());
    }

    [[nodiscard]] const ConnectionStates& states() const { return states_; }

  private:
    friend class Reconciliation;

    std::shared_ptr<ConnectionState> remember(const api::OmniConnection& object);
    std::shared_ptr<ConnectionState> restore(const api::OmniConnection& object);
    [[nodiscard]] std::string_view unsettled_before() const;
    [[nodiscard]] bool had_predecessor() const;
    void restore_retry(const api::OmniConnection& object, ConnectionState& state) const;
    void restore_pace(const api::OmniConnection::Status& status);
    void forget(const ObjectKey& key);
    void sweep_targets();

    // The object as last seen by the watch; null when it is gone, or another has its name.
    [[nodiscard]] std::shared_ptr<const api::OmniConnection>
    newest(const ObjectKey& key, const ConnectionState& state) const;
    // All but its place and its reading.
    [[nodiscard]] Observation observe(std::shared_ptr<const api::OmniConnection> object);

    asio::awaitable<void> finish(ObjectKey key, std::shared_ptr<ConnectionState> held_state,
                                 Outcome result);
    [[nodiscard]] std::string next_attempt_text(const ConnectionState& state,
                                                const Outcome& result) const;
    // What the status says of the object's fields is brought up to date.
    void describe_fields(const api::OmniConnection& object, const ConnectionState& state,
                         api::OmniConnection::Status& status) const;
    // The status is written when it is time; or now, whatever else is under way.
    asio::awaitable<bool> write_status(ObjectKey key, ConnectionState& state);
    asio::awaitable<bool> write_claims(std::shared_ptr<const api::OmniConnection> object,
                                       api::OmniConnection::Status status);
    asio::awaitable<void> record_now(ObjectKey key, ConnectionState& state);
    void note_cut(const api::OmniConnection& object, ConnectionState& state);
    asio::awaitable<void> record_one_by_one(std::vector<ObjectKey>& keys, rt::TimePoint deadline,
                                            bool& all_written);
    // The key waits for a slot at `at` (null: nowhere), and nowhere else.
    static void wait_only_at(const ObjectKey& key, ConnectionState& state,
                             std::shared_ptr<Account> at);

    Services services_;
    const Caches& caches_;
    InstanceReconciler& instances_;
    rt::TaskGroup& tasks_;
    Hooks hooks_;
    StatusWriter writer_;
    std::unique_ptr<Sender> sender_;
    ConnectionStates states_;
    Targets targets_;
    Claims claims_;
    Derivations derivations_;
    UnseenVersions unseen_;
    unsigned forgotten_ = 0; // since the last sweep
    bool begun_ = false;
};

} // namespace oco::reconcile
