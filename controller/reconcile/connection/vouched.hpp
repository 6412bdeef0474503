// What an object's status may say of its fields, as it stands in the API server: that they are
// applied, so that whoever wants to send one of them waits until it no longer does; or that they
// were sent, which only a holder does. Pure.
#pragma once

#include "reconcile/cluster/ownership.hpp"

#include <map>
#include <vector>

namespace oco::reconcile {

// Of one target.
struct Vouch {
    FieldSet applied;
    FieldSet sent; // applied, or never answered

    bool operator==(const Vouch&) const = default;
};

class Vouched {
  public:
    // Such a status is about to be written: until written() both may be there.
    void writing(const api::OmniConnection::Status& status) {
        for (auto& [target, vouch] : vouches_of(status)) {
            may_say_[target].applied.merge(vouch.applied);
            may_say_[target].sent.merge(vouch.sent);
        }
    }

    // That is what the API server has. True: it may have had something else before.
    bool written(const api::OmniConnection::Status& status) {
        auto says = vouches_of(status);
        const bool changed = says != may_say_;
        may_say_ = std::move(says);
        return changed;
    }

    [[nodiscard]] const Vouch& at(const Target& target) const {
        static const Vouch none;
        const auto it = may_say_.find(target);
        return it == may_say_.end() ? none : it->second;
    }

    // Where anything may be said.
    [[nodiscard]] std::vector<Target> targets() const {
        std::vector<Target> out;
        for (const auto& [target, vouch] : may_say_)
            out.push_back(target);
        return out;
    }

  private:
    using Vouches = std::map<Target, Vouch>;

    static Vouches vouches_of(const api::OmniConnection::Status& status) {
        const api::Applied& applied = status.applied;
        Vouch vouch;
        if (applied.credential)
            vouch.applied.insert(omni::Field::credential);
        if (applied.base_role)
            vouch.applied.insert(omni::Field::base_role);
        if (applied.environment_user_attribute)
            vouch.applied.insert(omni::Field::environment_user_attribute);
        vouch.sent = vouch.applied;
        vouch.sent.insert(status.unanswered.begin(), status.unanswered.end());
        Vouches out;
        if (!applied.target.empty() && !vouch.sent.empty())
            out.emplace(applied.target, std::move(vouch));
        return out;
    }

    Vouches may_say_;
};

} // namespace oco::reconcile
