// One API key at one host: its budget, and what it was seen to allow.
#pragma once

#include "omni/client.hpp"
#include "work/request_scheduler.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace oco::reconcile {

// What one list told of the connections that the key may see.
struct Directory {
    std::map<std::string, omni::ConnectionInfo> by_id;
    // When the request for it was sent: it tells of all that Omni had accepted before.
    std::optional<rt::TimePoint> asked_at;
    bool refused = false; // the key is good, but may not list (403, 404)
};

// An API key at a host, as Omni counts it: what all OmniInstances that name it share.
struct Account {
    Account(rt::Runtime& runtime, int requests_per_minute, std::function<void()> breaker_changed)
        : scheduler(runtime, requests_per_minute, std::move(breaker_changed)) {}

    work::RequestScheduler scheduler;
    // The last one; never null. Another takes its place as a whole, and who looks at this one keeps
    // it.
    std::shared_ptr<const Directory> directory = std::make_shared<const Directory>();

    // Whether the key is good. It is asked at most once a minute.
    std::optional<rt::TimePoint> asked_at;
    std::optional<rt::TimePoint> accepted_at;
    std::optional<rt::TimePoint> refused_at;
    std::string refusal; // what Omni said then
};

} // namespace oco::reconcile
