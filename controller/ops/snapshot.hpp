// What is true at the moment of a scrape. It is read from the operator's own state each time and
// written straight as text: 10,000 objects kept as metric objects too would double their memory.
#pragma once

#include "base/time.hpp"
#include "ops/exposition.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace oco::ops {

using Seconds = std::chrono::duration<double>;

enum class Breaker { closed, open };

// No two entries of a list have the same names: Prometheus would refuse one of them.
struct Snapshot {
    // How many OmniConnections have this status and reason of the condition Ready.
    struct ConnectionCount {
        std::string ready; // True, False or Unknown
        std::string reason;
        std::size_t count = 0;
    };

    // What was pushed to an OmniConnection, and when.
    struct Push {
        std::string connection; // namespace/name
        WallTime time;
    };

    struct Instance {
        std::string instance; // namespace/name
        std::int64_t rate_limit_remaining = 0;
        Breaker breaker = Breaker::closed;
        Seconds oldest_pending{0}; // 0: nothing is pending
    };

    struct Watch {
        std::string resource; // in plural
        WallTime last_activity;
    };

    // Of those that are named with --namespace.
    struct Namespace {
        std::string name;
        bool up_to_date = false;
    };

    struct Queue {
        std::string name;
        std::size_t depth = 0;
    };

    std::vector<ConnectionCount> connections;
    std::vector<Push> last_pushes;       // of anything
    std::vector<Push> credential_pushes; // of the credential that Omni holds
    std::vector<Instance> instances;
    std::vector<Watch> watches;
    std::vector<Namespace> namespaces;
    std::vector<Queue> queues;
};

void write_snapshot(ExpositionWriter& writer, const Snapshot& snapshot);

} // namespace oco::ops
