// Brings up what an OmniInstance describes: reads its token, checks it by listing the connections,
// and keeps that list for the OmniConnections, which need their dialects. It is the only one that
// reads from Omni.
#pragma once

#include "reconcile/outcome.hpp"
#include "reconcile/session.hpp"
#include "reconcile/status_writer.hpp"
#include "reconcile/world.hpp"
#include "rt/task_group.hpp"

#include <functional>
#include <unordered_map>

namespace oco::reconcile {

struct InstanceState {
    std::string uid;
    std::int64_t generation = 0;      // of the spec that all this belongs to
    api::OmniInstance::Status status; // written, or about to be; without conditions of others
    StatusLedger ledger;
    Announced announced;
    Outcome outcome = {.reason = std::string(reason::progressing), .message = "not looked at yet"};
    std::shared_ptr<Session> session; // null until the key could be read
    std::string session_identity;     // of what the session was made
    bool usable = false;              // the key was accepted, and nothing speaks against it since
    Directory directory;
    std::optional<rt::TimePoint> key_verified_at;

    // Wishes of the connections, fulfilled by the next reconcile.
    bool directory_wanted = false;
    bool key_doubted = false;        // a PATCH was answered 401 or 403
    bool key_called_invalid = false; // and it was a 401, which names the key, not its rights

    std::optional<rt::TimePoint> count_written; // status.connections
    std::optional<rt::TimePoint> last_whoami;
    std::optional<rt::TimePoint> next_attempt;
    int failures = 0;
};

class InstanceReconciler {
  public:
    struct Hooks {
        std::function<void(const ObjectKey&, rt::TimePoint)> again_at;
        std::function<void(const ObjectKey&)> again;
        std::function<void(const ObjectKey& instance)> changed; // its connections look again
    };

    InstanceReconciler(Services services, const World& world, rt::TaskGroup& tasks, Hooks hooks);

    asio::awaitable<void> reconcile(ObjectKey key);

    // This process begins to lead: what others sent a short while ago counts in the budgets.
    void inherit(std::map<std::string, std::vector<rt::TimePoint>> pushes_by_host);

    // As ConnectionReconciler has it.
    void status_delivered(const api::OmniInstance& object);

    // Null when it was never seen.
    [[nodiscard]] const InstanceState* find(const ObjectKey& key) const;

    [[nodiscard]] const std::unordered_map<ObjectKey, InstanceState>& states() const {
        return states_;
    }

    void want_directory(const ObjectKey& key);
    void doubt_key(const ObjectKey& key, const Error& answer);
    // The instance's Secret changed: a refused key may be good now.
    void forget_backoff(const ObjectKey& key);

  private:
    using Instance = std::shared_ptr<const api::OmniInstance>;

    asio::awaitable<Outcome> examine(Instance instance, InstanceState& state);
    asio::awaitable<std::optional<Outcome>> prepare_session(Instance instance,
                                                            InstanceState& state);
    asio::awaitable<Outcome> verify(Instance instance, InstanceState& state);
    asio::awaitable<Outcome> ask_whoami(Instance instance, InstanceState& state);
    Outcome failed(InstanceState& state, const Error& error);
    asio::awaitable<void> write_status(Instance instance, InstanceState& state);
    std::shared_ptr<work::Gate> gate_of(const api::OmniInstance& instance, const BaseUrl& url,
                                        const SecretBytes& token);

    void apply_limit(work::Gate& gate);

    Services services_;
    const World& world_;
    rt::TaskGroup& tasks_;
    Hooks hooks_;
    StatusWriter writer_;
    std::unordered_map<ObjectKey, InstanceState> states_;
    // By host and token: instances that share a key share its budget.
    std::map<std::string, std::shared_ptr<work::Gate>> gates_;
    std::map<std::string, std::vector<rt::TimePoint>> inherited_; // pushes, by host
    rt::TimePoint reserved_until_{};
};

// The error that a read of a Secret ended with, as an Outcome. `what` is "Secret ns/name".
Outcome secret_outcome(const Error& error, const ObjectKey& secret);
Outcome missing_key_outcome(const ObjectKey& secret, const std::string& key);

// After an answer (or none): the budget's slot, the pause after a 429, and the metric.
void settle_slot(Services& services, work::Gate& gate, work::RateBudget::Slot slot,
                 const std::optional<Error>& error, const ObjectKey& instance);

} // namespace oco::reconcile
