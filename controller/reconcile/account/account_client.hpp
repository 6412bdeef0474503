// The way to one account: its requests, its address and its trust anchors.
#pragma once

#include "omni/client.hpp"
#include "reconcile/account/account.hpp"

#include <memory>
#include <string>

namespace oco::reconcile {

// Replaced as a whole when the address, the token or the trust anchors change; calls under way
// keep the old one alive.
struct AccountClient {
    static constexpr std::size_t max_connections = 16;
    // Of one connection, whose settings may be long, or of an error; lists are read as they come.
    static constexpr std::size_t max_answer_bytes = std::size_t{2} << 20;

    AccountClient(rt::Runtime& runtime, std::string host_label, rt::Endpoint endpoint,
                  std::string user_agent, const SecretBytes& token,
                  std::shared_ptr<Account> its_account, omni::Observer observer)
        : host(std::move(host_label)), http(runtime, std::move(endpoint),
                                            {.user_agent = std::move(user_agent),
                                             .max_connections = max_connections,
                                             .patience = std::chrono::milliseconds(250),
                                             .max_idle = max_connections,
                                             .body_limit = max_answer_bytes,
                                             .stale_get = http::ClientOptions::StaleGet::fail}),
          omni(runtime, http, token, std::move(observer)), account(std::move(its_account)) {}

    const std::string host; // as in Target
    http::Client http;
    omni::Client omni;
    const std::shared_ptr<Account> account;
};

} // namespace oco::reconcile
