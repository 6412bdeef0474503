// One reconcile of one OmniConnection, from the question who may send to the answer of Omni. Each
// step either leads to the next or ends the attempt with an Outcome.
#pragma once

#include "omni/credential.hpp"
#include "reconcile/connection/connection_reconciler.hpp"

namespace oco::reconcile {

// Leaves a target's place in InFlight when it goes, and wakes those who wait for it.
class InFlightPass {
  public:
    InFlightPass(ConnectionReconciler& owner, api::Target target)
        : owner_(owner), target_(std::move(target)) {}

    InFlightPass(const InFlightPass&) = delete;
    InFlightPass& operator=(const InFlightPass&) = delete;

    ~InFlightPass() { owner_.leave(target_); }

  private:
    ConnectionReconciler& owner_;
    api::Target target_;
};

class Reconciliation {
  public:
    using Object = std::shared_ptr<const api::OmniConnection>;
    using Step = std::optional<Outcome>; // nullopt: go on

    Reconciliation(ConnectionReconciler& owner, Object object,
                   std::shared_ptr<ConnectionState> state);

    asio::awaitable<Outcome> run();

    // The status as this attempt leaves it, without conditions.
    [[nodiscard]] api::OmniConnection::Status take_status() { return std::move(status_); }

    // Where it left its key to wait for a slot; null: nowhere.
    [[nodiscard]] const std::shared_ptr<Account>& waits_at() const { return waits_at_; }

  private:
    // Takes the instance's state again: false while it is not that of the present spec, or when the
    // instance is gone.
    [[nodiscard]] bool find_instance_state();
    [[nodiscard]] bool overtaken();
    [[nodiscard]] Outcome begin_again() const;
    void note_request();
    // Where: instance, rights, target, claims.
    Step find_instance();
    [[nodiscard]] Outcome instance_not_ready() const;
    Step find_target();
    void find_holdings();
    // What Omni's list shows (reconciliation_directory.cpp).
    Step resolve_name();
    void request_list(rt::TimePoint since, work::RequestClass request_class);
    Step look_up_connection();
    [[nodiscard]] Outcome until_listed_otherwise(Outcome outcome);
    [[nodiscard]] Outcome await_list(std::string message) const;
    Step check_listing();
    void check_dialect();
    [[nodiscard]] bool has_settings() const;
    void judge_drift();
    void judge_drift_of(omni::Field field, bool differs);
    [[nodiscard]] std::optional<rt::TimePoint> next_drift_check();
    Step check_request();
    // What: the wanted values and which of them Omni lacks.
    asio::awaitable<void> examine_credential();
    void compare_credential(const kube::SecretRead& read, const SecretBytes& value);
    void examine_settings();
    void recall_rejection();
    [[nodiscard]] bool forced(omni::Field field) const;
    [[nodiscard]] bool differs(omni::Field field, const std::string& held_digest) const;
    // Whether now: suspension, back-off, budget.
    Step check_suspension();
    asio::awaitable<void> prepare_credential();
    Step check_patience();
    // The PATCH.
    asio::awaitable<Outcome> push();
    [[nodiscard]] std::string describe_accepted(omni::Field field) const;
    asio::awaitable<Result<void>> call(std::shared_ptr<AccountClient> client, omni::Update update);
    omni::Update make_update(const FieldSet& fields);
    // What a dry run does in its place.
    Outcome report_dry_run();
    // What its answer means (reconciliation_answer.cpp).
    bool counts_as_applied(omni::Field field);
    void record_applied(omni::Field field, const std::string& now_text);
    void announce_accepted(omni::Field field);
    void note_accepted(const FieldSet& fields);
    Outcome after_accepted(const FieldSet& fields);
    Outcome all_accepted();
    Outcome note_failed(const FieldSet& fields, const Error& error);
    Outcome note_refused(const FieldSet& fields, const Error& error);
    Outcome retry_later(Outcome why, std::optional<std::chrono::seconds> at_least = {});
    [[nodiscard]] work::RequestClass request_class() const;
    Step check_pace();
    Outcome queued();
    Outcome conclude();
    Outcome in_step();
    void nothing_waits();
    [[nodiscard]] std::optional<rt::TimePoint> next_repush() const;

    [[nodiscard]] std::string retry_key() const;

    ConnectionReconciler& owner_;
    Services& services_;
    Object object_;
    const std::shared_ptr<ConnectionState> held_memory_;
    ConnectionState& state_ = *held_memory_;
    api::OmniConnection::Status status_;

    std::shared_ptr<const api::OmniInstance> instance_;
    std::optional<InstanceView> instance_state_; // as find_instance_state() last found it
    api::Target target_;
    FieldSet held_;    // managed by this object and held against other objects
    Digests digests_;  // of the wanted values
    FieldSet pending_; // Omni lacks them
    FieldSet choice_;  // to be sent now
    std::optional<kube::SecretRead> read_;
    std::optional<omni::PreparedCredential> credential_;
    std::vector<Outcome> problems_; // of single fields; the others go on
    std::shared_ptr<Account> waits_at_;
};

} // namespace oco::reconcile
