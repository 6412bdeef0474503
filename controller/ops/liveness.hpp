// Whether the process is of use, or had better be started again: what /healthz tells. Pure.
#pragma once

#include "rt/runtime.hpp"

#include <string>
#include <vector>

namespace oco::ops {

// A watch that was synced once.
struct WatchLife {
    std::string name;
    rt::TimePoint answered_at; // when the API server last answered it, with whatever status
};

// The loop's heart beats every second; this long without a beat, and it stalls.
inline constexpr rt::Duration heartbeat_limit = std::chrono::seconds(10);
// A server that refuses is there; one that is silent for this long may be reachable from a new
// process (another address, other credentials).
inline constexpr rt::Duration watch_limit = std::chrono::minutes(10);

// What is wrong, in one line; empty: nothing.
std::string liveness_trouble(rt::TimePoint now, rt::TimePoint last_beat,
                             const std::vector<WatchLife>& watches);

} // namespace oco::ops
