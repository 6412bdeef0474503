// One run: some tenants with their Kubernetes, their organizations in Omni and two replicas of the
// operator, half an hour of changes and of trouble, and then the questions whether all came
// right.
#pragma once

#include "coverage.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace oco::sim {

struct Report {
    std::uint64_t seed = 0;
    std::vector<std::string> complaints; // empty: all is well
    double virtual_hours = 0;
    std::uint64_t kube_faults = 0;
    std::uint64_t omni_faults = 0;
    std::uint64_t process_faults = 0;
    std::uint64_t tenants = 0; // namespaces with objects
    std::uint64_t instances = 0;
    std::uint64_t objects = 0;
    std::uint64_t deleted_instances = 0;
    std::uint64_t remade_instances = 0;
    std::uint64_t rotations = 0;
    std::uint64_t pushes = 0;
    std::uint64_t repeated = 0;
    std::uint64_t unknown = 0;
    std::uint64_t lost = 0;
    std::uint64_t stale = 0;
    std::uint64_t foreign = 0;
    std::uint64_t synced = 0;  // times that an object said so, and was looked at
    std::uint64_t vouched = 0; // statuses that named what Omni holds
    std::uint64_t crashes = 0;
    std::uint64_t leaders = 0;
    std::uint64_t relists = 0;
    std::uint64_t kube_requests = 0;
    std::uint64_t omni_requests = 0;
    Coverage coverage;
};

// `trace` is given each line that tells of the run; empty: none are made.
Report run_scenario(std::uint64_t seed, const std::function<void(const std::string&)>& trace);

} // namespace oco::sim
