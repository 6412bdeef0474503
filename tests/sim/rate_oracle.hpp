// No key spends more than its budget: in any minute at most as many requests of one process as the
// lowest limit of the OmniInstances that share the key at this host.
#pragma once

#include "lease_view.hpp"
#include "omni_model.hpp"
#include "truth.hpp"

#include <deque>
#include <map>
#include <string>

namespace oco::sim {

class RateOracle {
  public:
    RateOracle(test::SimRuntime& time, const Truth& truth, const LeaseView& lease,
               std::function<void(std::string)> complain)
        : time_(time), truth_(truth), lease_(lease), complain_(std::move(complain)) {}

    void arrived(const OmniModel::Arrival& arrival, const std::string& host);

    // The API server was in trouble until now: tokens are read late.
    void troubled() { troubled_ = time_.now(); }

    std::uint64_t requests = 0;

  private:
    [[nodiscard]] int limit(const std::string& host, const std::string& token) const;

    test::SimRuntime& time_;
    const Truth& truth_;
    const LeaseView& lease_;
    std::function<void(std::string)> complain_;
    std::map<std::pair<std::string, std::string>, std::deque<rt::TimePoint>> recent_;
    rt::TimePoint troubled_{};
};

} // namespace oco::sim
