// Reconciles OmniInstances: reads the token, checks it by listing the connections, and keeps that
// list for the OmniConnections, which need their dialects. It is the only one that reads from Omni.
#pragma once

#include "reconcile/account/account_client.hpp"
#include "reconcile/cluster/caches.hpp"
#include "reconcile/status/outcome.hpp"
#include "reconcile/status/status_writer.hpp"
#include "rt/task_group.hpp"

#include <functional>
#include <unordered_map>

namespace oco::reconcile {

struct ListRequest {
    rt::TimePoint since{};
    work::RequestClass request_class = work::RequestClass::lookup; // or drift_list
};

struct InstanceState {
    std::string uid;
    std::int64_t generation = 0;      // of the spec that all this belongs to
    api::OmniInstance::Status status; // written, or about to be; without conditions of others
    StatusSchedule schedule;
    Announced announced;
    // `examined`: the key and what it may read; `outcome`: what is reported, the pushes included.
    Outcome examined = {.reason = std::string(reason::progressing),
                        .message = "not reconciled yet"};
    Outcome outcome = examined;
    std::shared_ptr<AccountClient> client; // null until the key could be read
    std::string client_identity;           // of what the client was built from
    // What its connections were notified of: the list, and when Omni last accepted the key.
    std::optional<rt::TimePoint> list_told;
    std::optional<rt::TimePoint> acceptance_told;
    bool usable = false; // the key was accepted, and nothing speaks against it since

    std::optional<ListRequest> list_request; // of the connections
    // Since when the key is in doubt: a PATCH got 401 or 403, or the key was refused. Only a later
    // response settles it.
    std::optional<rt::TimePoint> doubted_at;
    std::optional<rt::TimePoint> refused_at; // the key itself was, the last time
    bool key_called_invalid = false;         // by a 401, which names the key and not its rights

    std::optional<rt::TimePoint> count_written; // status.connections
    std::optional<rt::TimePoint> next_attempt;
    int failures = 0;

    // Empty while there is no client; never null.
    [[nodiscard]] std::shared_ptr<const Directory> directory() const;
    // When Omni last accepted the key.
    [[nodiscard]] std::optional<rt::TimePoint> accepted_at() const;
};

// A snapshot of an instance, for its users. A value: it does not change when the instance changes
// or is deleted, and has to be taken again after each wait.
struct InstanceView {
    std::string uid;
    std::int64_t generation = 0; // of the spec that all this belongs to
    Outcome outcome;
    bool usable = false;
    std::shared_ptr<AccountClient> client; // null until the key could be read
    std::string client_identity;
    std::shared_ptr<const Directory> directory; // never null
    std::optional<rt::TimePoint> accepted_at;
    std::optional<rt::TimePoint> refused_at; // the key itself was, the last time

    [[nodiscard]] bool key_is_refused() const { return refused_at > accepted_at; }

    // Whether it is of this object, and of its present spec.
    [[nodiscard]] bool is_of(const api::OmniInstance& instance) const {
        return uid == instance.meta.uid && generation == instance.meta.generation;
    }
};

class InstanceReconciler {
  public:
    struct Hooks {
        std::function<void(const ObjectKey&, rt::TimePoint)> requeue_at;
        std::function<void(const ObjectKey&)> requeue;
        std::function<void(const ObjectKey& instance)> changed; // reconciles its connections
    };

    InstanceReconciler(Services services, const Caches& caches, rt::TaskGroup& tasks, Hooks hooks);

    asio::awaitable<void> reconcile(ObjectKey key);

    // This process starts to lead: the slots that earlier leaders used recently, by host, as
    // used_slots() returns them.
    void inherit(std::map<std::string, std::vector<rt::TimePoint>> used_by_host);

    // What this process itself has spent before it lost the Lease; and what to keep if it does.
    void resume(Budgets spent) { spent_ = std::move(spent); }

    [[nodiscard]] Budgets budgets() const;

    // As ConnectionReconciler has it.
    void status_delivered(const api::OmniInstance& object);

    // nullopt if it was never seen, or is gone.
    [[nodiscard]] std::optional<InstanceView> view(const ObjectKey& key) const;

    // Not null. A reconcile that waits holds the state it works on, in the table or not.
    using States = std::unordered_map<ObjectKey, std::shared_ptr<InstanceState>>;

    [[nodiscard]] const States& states() const { return states_; }

    // Some connection needs a list that is read at `since` or later.
    void request_list(const ObjectKey& key, ListRequest request);
    // A PATCH with the key of `account` got this response. No effect if the instance has another
    // key by now.
    void doubt_key(const ObjectKey& key, const Account& account, const Error& answer);
    // A PATCH with the key of `account` was accepted: what failed before is tried again at once.
    void omni_answers(const Account& account);
    // The instance's Secret changed: a refused key may be valid now.
    void forget_backoff(const ObjectKey& key);

  private:
    using Instance = std::shared_ptr<const api::OmniInstance>;

    // The state of this very object; replaces that of an earlier object with the same name.
    std::shared_ptr<InstanceState> state_of(const api::OmniInstance& instance);
    void forget(const ObjectKey& key);
    asio::awaitable<Outcome> examine(Instance instance, InstanceState& state);
    asio::awaitable<void> write_status(Instance instance, InstanceState& state);

    // instance_reads.cpp
    asio::awaitable<Outcome> read_list(Instance instance, InstanceState& state);
    asio::awaitable<Outcome> resolve_key_doubt(Instance instance, InstanceState& state);
    asio::awaitable<Outcome> ask_whoami(Instance instance, InstanceState& state);
    asio::awaitable<Outcome> key_accepted(Instance instance, InstanceState& state);
    // What there is to say of a key in use: the same whatever was asked last.
    static Outcome accepted(const Directory& directory);
    static std::string scheduler_key(const ObjectKey& instance);
    std::optional<work::Grant> acquire_slot(const ObjectKey& key, const InstanceState& state,
                                            work::RequestClass request_class);
    static Outcome no_slot(const InstanceState& state);
    [[nodiscard]] Outcome listed(InstanceState& state,
                                 std::vector<omni::ConnectionInfo> connections,
                                 omni::ListMemory::Share memory, rt::TimePoint asked_at) const;
    [[nodiscard]] Outcome key_refused(const api::OmniInstance& instance,
                                      InstanceState& state) const;
    Outcome failed(InstanceState& state, const Error& error);

    // instance_account.cpp
    asio::awaitable<std::optional<Outcome>> prepare_client(Instance instance, InstanceState& state);
    Result<std::shared_ptr<net::TlsContext>> trust(const std::string& ca_pem);
    std::shared_ptr<Account> account_of(const api::OmniInstance& instance, const BaseUrl& url,
                                        const SecretBytes& token);
    void apply_limit(Account& account);
    void forget_unused_accounts();
    // Of all instances that share it.
    void wake_sharing(const Account& account);
    void cancel_wait(const ObjectKey& key, const InstanceState& state);

    Services services_;
    const Caches& caches_;
    rt::TaskGroup& tasks_;
    Hooks hooks_;
    StatusWriter writer_;
    States states_;
    std::map<std::string, std::shared_ptr<Account>> accounts_; // by host and token
    omni::ListMemory list_memory_;
    std::map<std::string, std::weak_ptr<net::TlsContext>> trusted_; // by the fingerprint of the CAs
    std::map<std::string, std::vector<rt::TimePoint>> inherited_;
    rt::TimePoint reserved_until_{};
    Budgets spent_; // of accounts that are not used (yet)
};

} // namespace oco::reconcile
