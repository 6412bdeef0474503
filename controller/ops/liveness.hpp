// Whether the process works, or should be restarted: what /healthz reports. Pure.
#pragma once

#include "rt/runtime.hpp"

#include <string>
#include <vector>

namespace oco::ops {

// A watch that was synced once.
struct WatchLife {
    std::string name;
    rt::TimePoint answered_at; // when the API server last answered it, with any status
};

// The loop beats every second; this long without a beat, and it has stalled.
inline constexpr rt::Duration heartbeat_limit = std::chrono::seconds(10);
// A server that returns errors is reachable; one that is silent for this long may be reachable from
// a new process (another address, other credentials).
inline constexpr rt::Duration watch_limit = std::chrono::minutes(10);

// What is wrong, in one line; empty: nothing.
std::string liveness_trouble(rt::TimePoint now, rt::TimePoint last_beat,
                             const std::vector<WatchLife>& watches);

} // namespace oco::ops
