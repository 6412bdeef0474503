// What is known of the connections in Omni, whichever objects name them: what they hold, and
// whether a PATCH is under way. Objects come and go, and turn to other connections; what was sent
// stays sent.
#pragma once

#include "reconcile/cluster/ownership.hpp"
#include "reconcile/connection/field_state.hpp"
#include "reconcile/connection/push_pace.hpp"

#include <array>
#include <map>
#include <set>

namespace oco::reconcile {

inline constexpr std::array all_fields{omni::Field::credential, omni::Field::base_role,
                                       omni::Field::environment_user_attribute};

// One connection's fields.
class TargetState {
  public:
    [[nodiscard]] FieldState& operator[](omni::Field field) {
        return fields_.at(static_cast<std::size_t>(field));
    }

    [[nodiscard]] const FieldState& operator[](omni::Field field) const {
        return fields_.at(static_cast<std::size_t>(field));
    }

    // What the object's status says it has applied there.
    [[nodiscard]] FieldSet applied_by(const std::string& uid) const;
    // The object has no claim on any but these (any more).
    void release_all_but(const FieldSet& held, const std::string& uid);

    [[nodiscard]] bool forgettable(rt::TimePoint now) const;
    // Whether this process has sent anything there.
    [[nodiscard]] bool was_sent_to() const;

  private:
    std::array<FieldState, all_fields.size()> fields_;
};

class Targets {
  public:
    // Made when it is asked for first. Stays where it is until sweep().
    TargetState& at(const Target& target);
    // Null: nothing is known.
    [[nodiscard]] TargetState* find(const Target& target);
    [[nodiscard]] const TargetState* find(const Target& target) const;

    // Where something that was sent may still arrive, for the next process; empty: nowhere. A line
    // of fingerprints, or `everywhere`.
    [[nodiscard]] std::string unsettled(rt::TimePoint now) const;
    // The process before said so, or ended without a word: see FieldState.
    void suspect_until(rt::TimePoint until, std::string_view where);

    // Whether this process may have sent anything there, so that older statuses say nothing of it.
    [[nodiscard]] bool may_have_been_sent_to(const Target& target) const;

    static constexpr std::string_view everywhere = "everywhere";

    // Forgets those of which nothing is known, except for `kept`. To be called when nobody holds a
    // reference.
    void sweep(const std::set<Target>& kept, rt::TimePoint now);

    // One PATCH at a time for each connection, whoever sends. enter() when none is under way;
    // leave() yields those to wake.
    [[nodiscard]] bool under_way(const Target& target) const { return under_way_.contains(target); }

    void enter(const Target& target) { under_way_.try_emplace(target); }

    std::set<ObjectKey> leave(const Target& target);

    // `key` is to be woken once none is.
    void wait_for(const Target& target, const ObjectKey& key) { under_way_.at(target).insert(key); }

    PushPace pace;

  private:
    std::map<Target, TargetState> states_;
    std::map<Target, std::set<ObjectKey>> under_way_; // and who waits
    [[nodiscard]] bool suspects(const Target& target) const;
    bool forgot_one_sent_to_ = false;

    rt::TimePoint suspect_until_ = rt::TimePoint::min();
    std::set<std::string> suspected_; // fingerprints, or `everywhere`
};

} // namespace oco::reconcile
