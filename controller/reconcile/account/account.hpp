// One API key at one host: its budget, and what it is known to allow.
#pragma once

#include "omni/client.hpp"
#include "work/request_scheduler.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace oco::reconcile {

// What one list said about the connections that the key may see.
struct Directory {
    std::map<std::string, omni::ConnectionInfo> by_id;
    // When the request for it was sent: it shows all that Omni had accepted before.
    std::optional<rt::TimePoint> asked_at;
    bool refused = false; // the key is valid, but may not list (403, 404)
    std::shared_ptr<const omni::ListMemory::Share> memory = {}; // of what is listed

    // Null: it is not listed. One that is may be deleted in Omni.
    [[nodiscard]] const omni::ConnectionInfo* find(const std::string& id) const {
        const auto it = by_id.find(id);
        return it == by_id.end() ? nullptr : &it->second;
    }

    // Null: it is not there.
    [[nodiscard]] const omni::ConnectionInfo* find_present(const std::string& id) const {
        const auto* info = find(id);
        return info != nullptr && !info->deleted ? info : nullptr;
    }
};

// An API key at a host, as Omni counts it, shared by all OmniInstances that use it.
struct Account {
    Account(rt::Runtime& runtime, int requests_per_minute, std::function<void()> breaker_changed)
        : scheduler(runtime, requests_per_minute, std::move(breaker_changed)) {}

    work::RequestScheduler scheduler;
    // The last one; never null. It is replaced as a whole, and users of the old one keep it alive.
    std::shared_ptr<const Directory> directory = std::make_shared<const Directory>();

    // Whether the key is valid. Checked at most once a minute.
    std::optional<rt::TimePoint> asked_at;
    std::optional<rt::TimePoint> accepted_at;
    std::optional<rt::TimePoint> refused_at;
    std::string refusal; // what Omni said then
};

// What was spent, by host and token: kept when a process loses the Lease and begins again.
using Budgets = std::map<std::string, work::RateBudget>;

} // namespace oco::reconcile
