// One reconcile of one OmniConnection: looks, decides, does what was decided, and looks again,
// until nothing more can be done for now. It does I/O and decides nothing.
#pragma once

#include "omni/credential.hpp"
#include "reconcile/connection/connection_reconciler.hpp"
#include "reconcile/connection/decide.hpp"
#include "reconcile/connection/sender.hpp"

namespace oco::reconcile {

class Reconciliation {
  public:
    Reconciliation(ConnectionReconciler& owner, const ObjectKey& key,
                   std::shared_ptr<ConnectionState> state);

    asio::awaitable<Outcome> run();

    // Where it left its key to wait for a slot; null: nowhere.
    [[nodiscard]] const std::shared_ptr<Account>& waits_at() const { return waits_at_; }

  private:
    // --- look
    std::optional<Outcome> look();
    void apply_claims(const Target& named);
    [[nodiscard]] TargetState& fields() const;
    [[nodiscard]] rt::TimePoint now() const;

    // --- act
    void report_drift(const DriftFound& found) const;
    void request_list(const ListRequest& request) const;
    asio::awaitable<void> read_secret(ReadSecret what);
    std::optional<Outcome> prepare_credential();
    asio::awaitable<std::optional<Outcome>> send(Decision decision);
    omni::Update make_update(const FieldSet& sent) const;
    asio::awaitable<Result<void>> deliver(PendingPush& push, omni::Update update);
    asio::awaitable<void> report_silence();

    // --- what came of it (reconciliation_answer.cpp)
    void note_accepted(const Decision& decision, const FieldSet& sent);
    void note_failed(const Decision& decision, const FieldSet& sent, const Error& error);
    void retry_later(Outcome why, std::optional<std::chrono::seconds> at_least = {});
    [[nodiscard]] AppliedEntry entry_of(omni::Field field, const std::string& digest,
                                        const std::string& pushed_at) const;
    [[nodiscard]] std::string describe_accepted(omni::Field field) const;
    void announce_accepted(omni::Field field) const;

    ConnectionReconciler& owner_;
    Services& services_;
    const ObjectKey key_;
    const std::shared_ptr<ConnectionState> held_state_;
    ConnectionState& state_ = *held_state_;

    Observation seen_; // by the last look
    std::optional<Reading> reading_;
    std::map<std::string, std::shared_ptr<const SecretBytes>> values_; // that were read
    std::optional<omni::PreparedCredential> credential_;
    std::shared_ptr<Account> waits_at_;
};

} // namespace oco::reconcile
