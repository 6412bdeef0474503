// What must always hold of the PATCHes that Omni gets, checked as they come: by whom, in which
// order, and for what reason.
#pragma once

#include "facts.hpp"
#include "lease_view.hpp"
#include "marks.hpp"
#include "omni_model.hpp"
#include "push.hpp"

#include <map>
#include <string>
#include <vector>

namespace oco::sim {

class PushOracle {
  public:
    using Complain = std::function<void(std::string)>;

    PushOracle(test::SimRuntime& time, const LeaseView& lease, Complain complain)
        : time_(time), lease_(lease), complain_(std::move(complain)) {}

    // --- what the users did
    // A Secret holds this value from now on.
    void value_written(const Name& secret, const std::string& value);
    // There is a good reason to send what this object wants once more, though it is the same.
    void excuse(int object);

    // The object is gone for good.
    void retired(int object) { retired_[object] = time_.now(); }

    // --- what the operator did
    // Another process leads.
    void taken_over();
    // `delay`: what the way from the operator may have taken.
    void arrived(const OmniModel::ArrivalPointer& arrival, OmniModel& omni, rt::Duration delay);
    void settled(const OmniModel::ArrivalPointer& arrival, const std::string& host);

    struct Figures {
        std::uint64_t pushes = 0;   // PATCHes with a credential
        std::uint64_t repeated = 0; // of them, those that sent what Omni had accepted
        std::uint64_t unknown = 0;  // of them, those without a whole answer
        std::uint64_t stale = 0;    // an older value after a newer one
    } figures;

  private:
    struct Connection {
        std::map<Name, std::size_t> newest_sent; // by Secret: place in its history
        std::string accepted;                    // the value of the last 2xx that was read
        OmniModel::ArrivalPointer last;
        int retries = 0;   // attempts since then that may have changed something, or failed
        int settling = 0;  // attempts that may land late, and are not settled yet
        int take_over = 0; // pushes that the present leader may repeat, not knowing all
        rt::TimePoint feared_until{}; // an unanswered attempt may land so long
    };

    // Reasons are used up, and get old.
    struct Excuse {
        int count = 0;
        rt::TimePoint until{};
    };

    void check_leader(const std::string& client, rt::Duration delay);
    void check_order(Connection& connection, const Target& target, const std::string& value);
    void check_reason(Connection& connection, const Target& target, const Push& push);
    void check_retired(const Push& push, const Target& target);

    test::SimRuntime& time_;
    const LeaseView& lease_;
    Complain complain_;
    std::map<Name, std::vector<std::string>> history_; // by Secret
    std::map<std::string, Name> secret_of_;            // by value
    std::map<Target, Connection> connections_;
    std::map<int, Excuse> excuses_;        // by object
    std::map<int, rt::TimePoint> retired_; // by object
};

} // namespace oco::sim
