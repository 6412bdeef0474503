// One Omni organization with one key, ready to be called.
#pragma once

#include "omni/client.hpp"
#include "reconcile/hosts.hpp"
#include "work/gate.hpp"

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
        : gate(runtime, requests_per_minute, std::move(breaker_changed)) {}

    work::Gate gate;
    // The last one; never null. Another takes its place as a whole, and who looks at this one keeps
    // it.
    std::shared_ptr<const Directory> directory = std::make_shared<const Directory>();

    // Whether the key is good. It is asked at most once a minute.
    std::optional<rt::TimePoint> asked_at;
    std::optional<rt::TimePoint> accepted_at;
    std::optional<rt::TimePoint> refused_at;
    std::string refusal; // what Omni said then
};

// Replaced as a whole when the address, the token or the trust anchors change; calls under way
// keep the old one alive.
struct Session {
    Session(rt::Runtime& runtime, std::string host_label, rt::Endpoint endpoint,
            std::string user_agent, const SecretBytes& token, std::shared_ptr<Account> its_account,
            omni::Observer observer)
        : host(std::move(host_label)), http(runtime, std::move(endpoint),
                                            {.user_agent = std::move(user_agent),
                                             .stale_get = http::ClientOptions::StaleGet::fail}),
          omni(runtime, http, token, std::move(observer)), account(std::move(its_account)) {}

    const std::string host; // as in Target
    http::Client http;
    omni::Client omni;
    const std::shared_ptr<Account> account;
};

} // namespace oco::reconcile
