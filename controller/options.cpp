#include "options.hpp"

#include "version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace oco {
namespace {

constexpr std::string_view usage_head =
    "Keeps the credentials and settings of Omni connections equal to what Kubernetes says.\n"
    "Commands: run (the default), version";

std::string env_name(std::string_view flag) {
    std::string name = "OMNI_CONNECTION_OPERATOR_";
    for (const char c : flag)
        name.push_back(c == '-' ? '_' : static_cast<char>(std::toupper(c)));
    return name;
}

template<class T>
CLI::Option* add(CLI::App& app, const std::string& flag, T& target, const std::string& help) {
    return app.add_option("--" + flag, target, help)
        ->envname(env_name(flag))
        ->capture_default_str();
}

// A flag that takes an optional value: --x, --x=true, --x=false.
void add_switch(CLI::App& app, const std::string& flag, bool& target, const std::string& help) {
    app.add_flag("--" + flag, target, help + "; =true or =false")
        ->envname(env_name(flag))
        ->default_str(target ? "true" : "false");
}

using Levels = std::vector<std::pair<std::string, log::Level>>;
using Formats = std::vector<std::pair<std::string, log::Format>>;

const Levels levels{{"trace", log::Level::trace},
                    {"debug", log::Level::debug},
                    {"info", log::Level::info},
                    {"warn", log::Level::warn},
                    {"error", log::Level::error}};
const Formats formats{{"json", log::Format::json}, {"text", log::Format::text}};

// One of a few words; the first spelling of `target`'s present value is its default.
template<class T>
void add_choice(CLI::App& app, const std::string& flag, T& target,
                const std::vector<std::pair<std::string, T>>& choices) {
    std::string words;
    std::string preset;
    for (const auto& [word, value] : choices) {
        words += (words.empty() ? "" : ", ") + word;
        if (value == target)
            preset = word;
    }
    const auto take = [&target, &choices, flag, words](const std::string& text) {
        const auto it = std::ranges::find(choices, text, &std::pair<std::string, T>::first);
        if (it == choices.end())
            throw CLI::ValidationError("--" + flag, "\"" + text + "\" is none of " + words);
        target = it->second;
    };
    app.add_option_function<std::string>("--" + flag, take, words)
        ->envname(env_name(flag))
        ->default_str(preset);
}

void declare(CLI::App& app, Options& out) {
    add(app, "kubeconfig", out.kubeconfig,
        "kubeconfig file (default: in-cluster, then $KUBECONFIG, then ~/.kube/config)");
    add(app, "context", out.context, "context of the kubeconfig");
    add(app, "namespace", out.namespaces, "namespace to watch; repeatable (default: all)")
        ->delimiter(',');
    add_switch(app, "leader-elect", out.leader_elect, "elect a leader among replicas");
    add(app, "leader-election-id", out.leader_election_id, "name of the Lease");
    add(app, "operator-namespace", out.operator_namespace,
        "namespace of the digest key and the Lease (default: the pod's, or "
        "omni-connection-operator-system)");
    add(app, "metrics-bind-address", out.metrics_bind_address, "where /metrics is served; 0: off");
    add(app, "health-bind-address", out.health_bind_address,
        "where /healthz and /readyz are served; 0: off");
    add(app, "allowed-hosts", out.allowed_hosts,
        "hosts that credentials may be sent to: patterns host[:port], comma-separated; a leading "
        "\"*.\" is one label");
    add_switch(app, "insecure-allow-http", out.insecure_allow_http,
               "allow http:// base URLs (for tests)");
    add_switch(app, "dry-run", out.dry_run,
               "send nothing to Omni, write no status, make no Secret and take no Lease; a line in "
               "the log and an Event DryRun name the fields that would be sent");
    add_choice(app, "log-level", out.log_level, levels);
    add_choice(app, "log-format", out.log_format, formats);
}

} // namespace

std::variant<Options, Exit> parse_options(int argc, const char* const* argv) {
    std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    if (!arguments.empty() && (arguments[0] == "version" || arguments[0] == "--version")) {
        const bool help =
            arguments.size() > 1 && (arguments[1] == "--help" || arguments[1] == "-h");
        if (arguments.size() > 1 && !help)
            return Exit{.code = 2, .text = "version takes no arguments\n"};
        return Exit{.text = help ? "Prints the version and the commit it was built from.\n"
                                 : std::string("omni-connection-operator ") + version + " (" +
                                       commit + ")\n"};
    }
    if (!arguments.empty() && arguments[0] == "run")
        arguments.erase(arguments.begin());
    if (!arguments.empty() && !arguments[0].starts_with("-"))
        return Exit{.code = 2,
                    .text = "unknown command \"" + arguments[0] +
                            "\": commands are run and version; see --help\n"};
    Options options;
    CLI::App app{std::string(usage_head), "omni-connection-operator [run]"};
    declare(app, options);
    try {
        std::ranges::reverse(arguments); // CLI11 takes them from the back
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
        return Exit{.text = app.help() + "\nEvery flag can be given in the environment too: "
                                         "--log-level as OMNI_CONNECTION_OPERATOR_LOG_LEVEL.\n"
                                         "HTTPS_PROXY and NO_PROXY say how Omni and the Kubernetes "
                                         "API server are reached.\n"};
    } catch (const CLI::ParseError& error) {
        return Exit{.code = 2, .text = std::string(error.what()) + "; see --help\n"};
    }
    return options;
}

} // namespace oco
