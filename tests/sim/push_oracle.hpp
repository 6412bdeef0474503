// What must always hold of the requests that Omni gets, checked as they come: the oracles of the
// simulation that look at single pushes.
#pragma once

#include "omni_model.hpp"
#include "push.hpp"

#include <deque>
#include <map>
#include <string>
#include <vector>

namespace oco::sim {

class PushOracle {
  public:
    using Complain = std::function<void(std::string)>;

    PushOracle(test::SimRuntime& time, Complain complain)
        : time_(time), complain_(std::move(complain)) {}

    // --- what the users did
    // A Secret holds this value from now on. `secret` is "namespace/name".
    void value_written(const std::string& secret, const std::string& value);
    // There is a good reason to send the value of this connection once more, though it is the same.
    void excuse(const std::string& connection_id, int times = 1);

    // The object that managed this connection is gone for good.
    void retired(const std::string& connection_id) {
        connections_[connection_id].retired = time_.now();
    }

    // --- what the operator did
    // A process holds the Lease from now on. Clean: its predecessor had given it back.
    void leads(const std::string& process, bool clean);
    void released();

    // The holder has renewed it.
    void renewed() { renewed_ = time_.now(); }

    // `delay`: what the way from the operator may have taken.
    void arrived(const OmniModel::ArrivalPointer& arrival, OmniModel& omni, int limit,
                 rt::Duration delay);
    void settled(const OmniModel::ArrivalPointer& arrival);

    struct Figures {
        std::uint64_t requests = 0;
        std::uint64_t pushes = 0;   // PATCHes with a credential
        std::uint64_t repeated = 0; // of them, those that sent what Omni had accepted
        std::uint64_t unknown = 0;  // of them, those without a whole answer
        std::uint64_t stale = 0;    // an older value after a newer one
        std::uint64_t leaders = 0;
        std::uint64_t unclean = 0;
    } figures;

  private:
    struct Connection {
        std::map<std::string, std::size_t> newest_sent; // by Secret: place in its history
        std::string accepted;                           // the value of the last 2xx that was read
        OmniModel::ArrivalPointer last;
        int retries = 0;  // attempts since then that may have changed something, or failed
        int settling = 0; // attempts that may land late, and are not settled yet
        int excuses = 0;
        int take_over = 0;            // pushes that the present leader may repeat, not knowing all
        rt::TimePoint feared_until{}; // an unanswered attempt may land so long
        std::optional<rt::TimePoint> retired;
    };

    void check_order(Connection& connection, const std::string& id, const std::string& value);
    void check_reason(Connection& connection, const std::string& id, const std::string& value);
    void check_leader(const std::string& client, rt::Duration delay);
    void check_rate(const std::string& token, int limit);

    test::SimRuntime& time_;
    Complain complain_;
    std::map<std::string, std::vector<std::string>> history_; // by Secret
    std::map<std::string, std::string> secret_of_;            // by value
    std::map<std::string, Connection> connections_;
    std::map<std::string, std::deque<rt::TimePoint>> recent_; // by token: arrivals of a minute
    std::string leader_;
    rt::TimePoint leads_since_{};
    rt::TimePoint renewed_{};
};

} // namespace oco::sim
