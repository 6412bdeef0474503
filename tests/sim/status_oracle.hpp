// What the statuses say is so, at every moment.
//
// Synced: while nothing is under way for an object, Omni holds its Secret's value and its settings.
// Something is under way while
// - nobody leads, or who did is dead or being stopped, or took over less than 20 s ago;
// - the leader has not been shown the newest of the object, its OmniInstance, its Secret or its
//   namespace, or was so less than 5 s ago;
// - the API server was in trouble within 30 s: statuses may not have got through.
// Nothing else excuses: who has not heard Omni's answer, or fears a late value, must not say
// Synced.
//
// Vouching: when a status names another version of a Secret, or another rotation id, as applied,
// Omni holds that value, or did within the way of the answer and of the status.
#pragma once

#include "lease_view.hpp"
#include "omni_orgs.hpp"
#include "truth.hpp"
#include "views.hpp"

#include <functional>
#include <map>
#include <string>

namespace oco::sim {

class StatusOracle {
  public:
    struct Sources {
        const Truth& truth;
        const KubeViews& kube_views;
        const Organizations& orgs;
        const LeaseView& lease;
    };

    // `works`: whether the process of this address runs, and is not being stopped.
    StatusOracle(test::SimRuntime& time, Sources sources,
                 std::function<bool(const std::string&)> works,
                 std::function<void(std::string)> complain)
        : time_(time), from_(sources), works_(std::move(works)), complain_(std::move(complain)) {}

    // The API server is in trouble.
    void troubled() { troubled_ = time_.now(); }

    // A status was written by this process. `way`: what the ways from Omni and to the API server
    // may have taken.
    void written(const Name& name, const std::string& client, rt::Duration way);
    // Of all objects. Cheap: to be called after everything that changes.
    void look();

    struct Figures {
        std::uint64_t synced = 0; // objects that were found in step when they said so
        std::uint64_t vouched = 0;
    } figures;

  private:
    [[nodiscard]] bool calm() const;
    [[nodiscard]] bool under_way(const ObjectFacts& object) const;
    template<class T>
    [[nodiscard]] bool heeded(const History<T>& history, const char* plural) const;
    void check_synced(const ObjectFacts& object, const StatusFacts& status);
    void check_vouching(const ObjectFacts& object, const StatusFacts& status);
    [[nodiscard]] const SecretFacts* vouched(const ObjectFacts& object,
                                             const StatusFacts& status) const;

    test::SimRuntime& time_;
    Sources from_;
    std::function<bool(const std::string&)> works_;
    std::function<void(std::string)> complain_;
    rt::TimePoint troubled_{};
    // Not again and again.
    std::map<Name, rt::TimePoint> complained_of_synced_;
    std::map<Name, rt::TimePoint> complained_of_vouching_;
};

} // namespace oco::sim
