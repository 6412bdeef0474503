// Makes one Omni connection equal to its OmniConnection: who may send where, what differs, one
// PATCH, and the status that tells of it.
#pragma once

#include "reconcile/account/instance_reconciler.hpp"
#include "reconcile/cluster/caches.hpp"
#include "reconcile/cluster/unseen_versions.hpp"
#include "reconcile/connection/connection_state.hpp"
#include "reconcile/connection/push_pace.hpp"
#include "reconcile/status/status_writer.hpp"

#include <functional>
#include <set>
#include <unordered_map>

namespace oco::reconcile {

// PATCHes under way, by target: one at a time for each connection, whoever sends.
class InFlight {
  public:
    // False when one is under way; then `key` is woken when it ends.
    bool enter(const api::Target& target, const ObjectKey& key);
    // Those to wake.
    std::set<ObjectKey> leave(const api::Target& target);

  private:
    std::map<api::Target, std::set<ObjectKey>> waiting_;
};

class ConnectionReconciler {
  public:
    struct Hooks {
        std::function<void(const ObjectKey&, rt::TimePoint)> requeue_at;
        std::function<void(const ObjectKey&)> requeue;
        std::function<void(const api::OmniConnection&, const api::Target&)> claim;
        // A Secret was read that the watch has not told of: nobody named it before.
        std::function<void(const kube::ObjectMeta&)> secret_seen;
    };

    ConnectionReconciler(Services services, const Caches& caches, InstanceReconciler& instances,
                         rt::TaskGroup& tasks, Hooks hooks);

    asio::awaitable<void> reconcile(ObjectKey key);

    // A Secret that the object names has changed: for omni_rotation_latency_seconds.
    void secret_changed(const ObjectKey& key);

    // `secret` is there no more.
    void secret_gone(const ObjectKey& secret) { unseen_.forget(secret); }

    // The watch has delivered an object whose spec is as before. Its key comes again if somebody
    // has edited our part of the status.
    void status_delivered(const api::OmniConnection& object);

    // At the end of the process, once all work was cut: writes what the statuses lack, for each
    // PATCH that was cut that nobody knows its outcome. True: all is written.
    asio::awaitable<bool> record_rest(rt::Duration limit);

    // Where the object's fields go, as far as it is known; empty where the instance is absent or
    // does not allow it.
    [[nodiscard]] api::Target target_of(const api::OmniConnection& object) const;

    // Not null. A reconcile that waits holds the state it works on, in the table or not.
    using Memories = std::unordered_map<ObjectKey, std::shared_ptr<ConnectionState>>;

    [[nodiscard]] const Memories& states() const { return states_; }

  private:
    friend class Reconciliation;
    friend class InFlightPass;

    void leave(const api::Target& target);

    // Unanswered attempts outlive the object that made them: who manages the connection next has to
    // fear them, too.
    void orphan(const ConnectionState& state);
    void adopt_orphans(const api::Target& target, ConnectionState& state);

    std::shared_ptr<ConnectionState> remember(const api::OmniConnection& object);
    void forget(const ObjectKey& key);
    void follow(const api::OmniConnection& object, ConnectionState& state);
    void recall(const api::OmniConnection& object, ConnectionState& state);
    void recall_failures(const api::OmniConnection& object, ConnectionState& state) const;
    void recall_pace(const api::OmniConnection::Status& status);
    asio::awaitable<void> finish(std::shared_ptr<const api::OmniConnection> object,
                                 ConnectionState& state, api::OmniConnection::Status next,
                                 Outcome result);
    [[nodiscard]] std::string next_attempt_text(const ConnectionState& state,
                                                const Outcome& result) const;
    // The key waits for a slot at `at` (null: nowhere), and nowhere else.
    static void wait_only_at(const ObjectKey& key, ConnectionState& state,
                             std::shared_ptr<Account> at);
    // Writes state.status, when it is time.
    asio::awaitable<bool> write_status(ObjectKey key, ConnectionState& state);
    // The object as last seen by the watch; null when it is gone, or another has its name.
    [[nodiscard]] std::shared_ptr<const api::OmniConnection>
    newest(const ObjectKey& key, const ConnectionState& state) const;
    asio::awaitable<void> record_one_by_one(std::vector<ObjectKey>& keys, rt::TimePoint deadline,
                                            bool& all_written);

    Services services_;
    const Caches& caches_;
    InstanceReconciler& instances_;
    rt::TaskGroup& tasks_;
    Hooks hooks_;
    StatusWriter writer_;
    Memories states_;
    InFlight in_flight_;
    PushPace pace_;
    UnseenVersions unseen_;
    std::map<api::Target, InDoubtValues> orphans_;
};

} // namespace oco::reconcile
