// One Omni organization with one key, ready to be called.
#pragma once

#include "omni/client.hpp"
#include "reconcile/hosts.hpp"
#include "work/gate.hpp"

#include <map>
#include <memory>
#include <string>

namespace oco::reconcile {

// Replaced as a whole when the address, the token or the trust anchors change; calls under way
// keep the old one alive.
struct Session {
    Session(rt::Runtime& runtime, std::string host_label, rt::Endpoint endpoint,
            std::string user_agent, const SecretBytes& token, std::shared_ptr<work::Gate> budget,
            omni::Observer observer)
        : host(std::move(host_label)), http(runtime, std::move(endpoint),
                                            {.user_agent = std::move(user_agent),
                                             .stale_get = http::ClientOptions::StaleGet::fail}),
          omni(runtime, http, token, std::move(observer)), gate(std::move(budget)) {}

    const std::string host; // as in Target
    http::Client http;
    omni::Client omni;
    std::shared_ptr<work::Gate> gate;
};

// What the last list told of the connections that the key may see.
struct Directory {
    std::map<std::string, omni::ConnectionInfo> by_id;
    std::optional<rt::TimePoint> read_at;
    bool refused = false; // the key is good, but may not list (403, 404)
};

} // namespace oco::reconcile
