// Who leads, as the Lease says.
#pragma once

#include "kube_model.hpp"

#include <string>

namespace oco::sim {

class LeaseView {
  public:
    explicit LeaseView(test::SimRuntime& time) : time_(time) {}

    enum class Change { none, released, taken };

    Change written(const bj::object& lease);

    // The leader's address; empty: nobody leads.
    [[nodiscard]] const std::string& leader() const { return leader_; }

    [[nodiscard]] rt::TimePoint since() const { return since_; }

    [[nodiscard]] rt::TimePoint renewed() const { return renewed_; }

    // Whether the leader's predecessor had given the Lease back, and nothing of it may still
    // arrive.
    [[nodiscard]] bool clean() const { return clean_; }

    struct Figures {
        std::uint64_t leaders = 0;
        std::uint64_t clean = 0;
        std::uint64_t unclean = 0;
    } figures;

  private:
    test::SimRuntime& time_;
    std::string leader_;
    std::string acquired_; // spec.acquireTime
    rt::TimePoint since_{};
    rt::TimePoint renewed_{};
    bool clean_ = true;
    bool unsettled_ = false; // as it was released the last time
};

} // namespace oco::sim
