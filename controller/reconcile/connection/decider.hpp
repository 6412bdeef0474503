// The parts of decide(): decide.cpp has its course, decide_values.cpp what is wanted and what Omni
// lacks of it, decide_listing.cpp what the list of Omni's connections shows.
#pragma once

#include "reconcile/connection/decide.hpp"
#include "reconcile/connection/locate.hpp"

namespace oco::reconcile {

class Decider {
  public:
    Decider(const Observation& seen, const DigestKey& digest_key, ConnectionState& state,
            TargetState& fields);

    Action run();
    // The whole decision; once.
    Decision with(Action action);

  private:
    void note_conflicts();
    void note_forced(const FieldSet& fields);

    // decide_values.cpp
    std::optional<Action> examine_credential();
    [[nodiscard]] const api::AppliedCredential* applied_credential() const;
    [[nodiscard]] bool repush_is_due() const;
    [[nodiscard]] bool known_unread() const;
    [[nodiscard]] bool reading_is_current() const;
    [[nodiscard]] Action read_secret() const;
    void compare_credential();
    void follow_version();
    void examine_settings();
    void examine_setting(omni::Field field, std::string digest);
    void forget_refusals_if_forced();
    void recall_rejection();
    std::optional<Action> check_preparation();
    void give_up_credential(Outcome why);
    void note_rejected(const FieldSet& blocked);
    [[nodiscard]] bool forced(omni::Field field) const;
    [[nodiscard]] bool lacks(omni::Field field) const;

    // decide_listing.cpp
    std::optional<Action> check_listing();
    std::optional<Action> look_up_connection();
    void check_dialect();
    void judge_drift();
    void judge_drift_of(omni::Field field, bool differs);
    [[nodiscard]] std::optional<rt::TimePoint> next_drift_check();
    [[nodiscard]] std::optional<rt::TimePoint> next_rights_check();
    std::optional<Outcome> check_request();
    void want_list(ListRequest request);

    [[nodiscard]] bool suspended() const;
    std::optional<Action> check_suspension();
    std::optional<Action> check_patience();
    std::optional<Action> check_key();
    std::optional<Action> check_turn();
    [[nodiscard]] work::RequestClass request_class(const FieldSet& fields) const;

    static Action finish(Outcome outcome);
    [[nodiscard]] std::optional<Outcome> worst_problem() const;
    Action conclude();
    Outcome in_step();
    [[nodiscard]] std::optional<rt::TimePoint> next_repush() const;

    FieldSet& pending() { return decision_.pending; }

    Digests& digests() { return decision_.digests; }

    const Observation& seen_;
    const DigestKey& key_;
    ConnectionState& state_;
    TargetState& fields_;
    const FieldSet held_;
    std::vector<Outcome> problems_; // of single fields; the others go on
    Decision decision_;
};

} // namespace oco::reconcile
