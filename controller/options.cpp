#include "options.hpp"

#include "version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace oco {
namespace {

constexpr const char* purpose =
    "Keeps the credentials and settings of Omni connections equal to what Kubernetes says.";
constexpr const char* footer =
    "Every flag can be given in the environment too: --log-level as "
    "OMNI_CONNECTION_OPERATOR_LOG_LEVEL.\n"
    "HTTPS_PROXY and NO_PROXY say how Omni and the Kubernetes API server are reached.";

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

template<class T>
using Choices = std::vector<std::pair<std::string, T>>;

const Choices<log::Level> levels{{"trace", log::Level::trace},
                                 {"debug", log::Level::debug},
                                 {"info", log::Level::info},
                                 {"warn", log::Level::warn},
                                 {"error", log::Level::error}};
const Choices<log::Format> formats{{"json", log::Format::json}, {"text", log::Format::text}};

// One of a few words. Not CLI::CheckedTransformer, which takes their numbers as well.
template<class T>
void add_choice(CLI::App& app, const std::string& flag, T& target, const Choices<T>& choices,
                const std::string& help) {
    using Choice = std::pair<std::string, T>;
    std::vector<std::string> words;
    for (const auto& [word, value] : choices)
        words.push_back(word);
    const auto take = [&target, &choices](const std::string& word) {
        target = std::ranges::find(choices, word, &Choice::first)->second;
    };
    app.add_option_function<std::string>("--" + flag, take, help)
        ->check(CLI::IsMember(words))
        ->envname(env_name(flag))
        ->default_str(std::ranges::find(choices, target, &Choice::second)->first);
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
    add_choice(app, "log-level", out.log_level, levels, "the least severe lines that are written");
    add_choice(app, "log-format", out.log_format, formats, "how lines are written");
}

} // namespace

std::variant<Options, Exit> parse_options(int argc, const char* const* argv) {
    const std::string build =
        std::string("omni-connection-operator ") + version + " (" + commit + ")";
    Options options;
    CLI::App app{purpose, "omni-connection-operator"};
    app.require_subcommand(0, 1);
    app.set_version_flag("--version", build, "Print the version and exit");
    declare(app, options);
    // What follows `run` are the flags of the command that is the default, --help included.
    app.add_subcommand("run", "Run the operator: the default")->fallthrough()->set_help_flag();
    auto* version_command =
        app.add_subcommand("version", "Print the version and the commit it was built from");
    app.footer(footer); // of its help, and not of the commands'
    // Before the flags' variables are read, which may be wrong.
    version_command->parse_complete_callback([version_command, &build] {
        if (version_command->remaining_size() == 0)
            throw CLI::CallForVersion(build, 0);
    });
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return Exit{.text = version_command->parsed()
                                ? app.help()
                                : app.get_formatter()->make_help(&app, app.get_name(),
                                                                 CLI::AppFormatMode::Normal)};
    } catch (const CLI::CallForVersion& called) {
        return Exit{.text = called.what() + std::string("\n")};
    } catch (const CLI::ExtrasError& error) {
        return Exit{.code = 2,
                    .text = error.what() +
                            std::string("; commands are run and version, flags are in --help\n")};
    } catch (const CLI::ParseError& error) {
        return Exit{.code = 2, .text = error.what() + std::string("; see --help\n")};
    }
    return options;
}

} // namespace oco
