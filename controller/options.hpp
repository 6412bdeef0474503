// The command line, and the environment variables for its flags.
#pragma once

#include "base/log.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace oco {

struct Options {
    std::string kubeconfig;
    std::string context;
    std::vector<std::string> namespaces; // empty: all
    bool leader_elect = true;
    std::string leader_election_id = "omni-connection-operator";
    std::chrono::seconds lease_duration{15};
    std::chrono::seconds renew_deadline{10};
    std::chrono::seconds retry_period{2};
    std::string operator_namespace; // empty: the pod's, or the default
    std::string metrics_bind_address = ":8080";
    std::string health_bind_address = ":8081";
    std::string allowed_hosts = "*.omniapp.co,*.playground.exploreomni.dev";
    bool insecure_allow_http = false;
    bool dry_run = false;
    log::Level log_level = log::Level::info;
    log::Format log_format = log::Format::json;
};

// What to do instead of running: print a text and exit.
struct Exit {
    int code = 0;
    std::string text; // to standard output when the code is 0, else to standard error
};

// The environment, which CLI11 reads itself, except for what is empty.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;

// `argv` as main has it. Every flag can also be given as OMNI_CONNECTION_OPERATOR_ and its name in
// capitals, with `-` as `_`; the command line wins. An empty value is one; where a flag can't have
// it, that is wrong usage.
std::variant<Options, Exit> parse_options(int argc, const char* const* argv,
                                          const Variables& variable);

} // namespace oco
