#include "options.hpp"

#include "base/dns_name.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "net/bind_address.hpp"
#include "version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <span>

namespace oco {
namespace {

constexpr const char* purpose =
    "Keeps the credentials and settings of Omni connections as declared in Kubernetes.";
constexpr const char* footer =
    "Every flag can also be set in the environment, for example --log-level as "
    "OMNI_CONNECTION_OPERATOR_LOG_LEVEL.\n"
    "HTTPS_PROXY and NO_PROXY set the proxy for Omni and the Kubernetes API server.";

constexpr std::size_t max_value_shown = 100;

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

std::string shown(std::chrono::seconds duration) {
    return std::to_string(duration.count()) + "s";
}

// What is wrong with a flag's value; empty: nothing.
using Complaint = std::function<std::string(const std::string& value)>;

CLI::Validator validator(Complaint complaint) {
    return {[complaint = std::move(complaint)](std::string& value) { return complaint(value); },
            ""};
}

std::string quoted(const std::string& value) {
    return '"' + printable(value, max_value_shown) + '"';
}

std::string no_namespace(const std::string& value) {
    if (is_dns_label(value))
        return {};
    return quoted(value) +
           " is not a valid name of a namespace: use lower-case letters, digits and "
           "'-', beginning and ending with a letter or digit, at most 63 in all";
}

std::string no_lease(const std::string& value) {
    if (is_dns_subdomain(value))
        return {};
    return quoted(value) +
           " is not a valid name of a Lease: use lower-case letters, digits, '-' and "
           "'.', beginning and ending with a letter or digit, at most 253 in all";
}

std::string no_address(const std::string& value) {
    if (value == "0")
        return {};
    const auto address = net::parse_bind_address(value);
    return address ? std::string() : address.error().message + ", or 0 to serve nothing";
}

std::string no_duration(const std::string& value) {
    const auto duration = parse_duration(value);
    if (duration && *duration >= std::chrono::seconds(1) && *duration <= std::chrono::hours(1))
        return {};
    return quoted(value) + " is not a duration from 1s to 1h, as in 15s or 1m30s";
}

void add_duration(CLI::App& app, const std::string& flag, std::chrono::seconds& target,
                  const std::string& help) {
    app.add_option_function<std::string>(
           "--" + flag, [&target](const std::string& value) { target = *parse_duration(value); },
           help)
        ->check(validator(no_duration))
        ->envname(env_name(flag))
        ->default_str(shown(target));
}

// A PATCH starts only while the Lease is ours for as long as it may take.
constexpr std::chrono::seconds request_deadline{10};

// What is wrong with the times of the Lease together; empty: nothing. Waits vary by a fifth.
std::string lease_trouble(const Options& options) {
    const auto longest_pause = options.retry_period + options.retry_period / 5;
    const std::string duration = "--leader-elect-lease-duration (" + shown(options.lease_duration);
    const std::string deadline = "--leader-elect-renew-deadline (" + shown(options.renew_deadline);
    const std::string period = "--leader-elect-retry-period (" + shown(options.retry_period);
    if (options.lease_duration <= options.renew_deadline)
        return duration + ") must be longer than " + deadline +
               "): a leader has to give up before another takes over";
    if (options.renew_deadline <= longest_pause)
        return deadline + ") must be more than 1.2 times " + period +
               "): a leader has to try again before it gives up";
    if (options.lease_duration <= request_deadline + longest_pause)
        return duration + ") must be more than 10s and 1.2 times " + period +
               "): a request to Omni is sent only while the Lease is held for 10s more";
    return {};
}

void declare(CLI::App& app, Options& out) {
    add(app, "kubeconfig", out.kubeconfig,
        "kubeconfig file (default: in-cluster, then $KUBECONFIG, then ~/.kube/config)");
    add(app, "context", out.context, "context of the kubeconfig");
    add(app, "namespace", out.namespaces, "namespace to watch; repeatable (default: all)")
        ->delimiter(',')
        ->check(validator(no_namespace));
    add_switch(app, "leader-elect", out.leader_elect, "elect a leader among replicas");
    add(app, "leader-election-id", out.leader_election_id, "name of the Lease")
        ->check(validator(no_lease));
    add_duration(app, "leader-elect-lease-duration", out.lease_duration,
                 "how long another replica waits for a leader that does not renew the Lease");
    add_duration(app, "leader-elect-renew-deadline", out.renew_deadline,
                 "how long a leader that can't renew the Lease goes on");
    add_duration(app, "leader-elect-retry-period", out.retry_period,
                 "how often the Lease is renewed, or looked at by a standby");
    add(app, "operator-namespace", out.operator_namespace,
        "namespace of the digest key and the Lease (default: the pod's, or "
        "omni-connection-operator-system)")
        ->check(validator(no_namespace));
    add(app, "metrics-bind-address", out.metrics_bind_address,
        "address to serve /metrics on; 0 turns it off")
        ->check(validator(no_address));
    add(app, "health-bind-address", out.health_bind_address,
        "address to serve /healthz and /readyz on; 0 turns it off")
        ->check(validator(no_address));
    add(app, "allowed-hosts", out.allowed_hosts,
        "hosts that credentials may be sent to: comma-separated patterns host[:port]; a leading "
        "\"*.\" stands for one label");
    add_switch(app, "insecure-allow-http", out.insecure_allow_http,
               "allow http:// base URLs (for tests)");
    add_switch(
        app, "dry-run", out.dry_run,
        "send nothing to Omni, write no status, create no Secret and take no Lease; a log line "
        "and an Event DryRun name the fields that would be sent");
    add_choice(app, "log-level", out.log_level, levels, "lowest severity to log");
    add_choice(app, "log-format", out.log_format, formats, "format of log lines");
}

bool is_switch(const CLI::Option& option) {
    return option.get_items_expected_max() == 0;
}

// CLI11 would take the argument after "--flag=" for the value.
std::vector<std::string> with_empty_values(const CLI::App& app, int argc, const char* const* argv) {
    std::vector<std::string> out;
    for (const std::string argument : std::span(argv, static_cast<std::size_t>(argc))) {
        const bool empty = argument.starts_with("--") && argument.ends_with('=');
        const std::string flag = argument.substr(0, argument.size() - (empty ? 1 : 0));
        const auto* option = empty ? app.get_option_no_throw(flag) : nullptr;
        if (option == nullptr) {
            out.push_back(argument);
            continue;
        }
        if (is_switch(*option))
            throw CLI::ValidationError(flag, "no value after the =: write true or false");
        out.insert(out.end(), {flag, ""});
    }
    return out;
}

// CLI11 ignores variables that are empty. For a few flags that is a value; the others must not
// fall back to their default, which may be to watch all namespaces.
void read_empty_variables(CLI::App& app, const Variables& variable) {
    constexpr std::array may_be_empty{"--kubeconfig", "--context", "--allowed-hosts"};
    for (auto* option : app.get_options()) {
        const std::string name = option->get_envname();
        const auto value = name.empty() ? std::nullopt : variable(name);
        if (!value || !value->empty() || option->count() != 0)
            continue;
        if (std::ranges::find(may_be_empty, option->get_name()) == may_be_empty.end())
            throw CLI::ValidationError(name, "it is empty: unset it, or give it a value");
        option->add_result("");
        option->run_callback();
    }
}

} // namespace

std::variant<Options, Exit> parse_options(int argc, const char* const* argv,
                                          const Variables& variable) {
    const std::string build =
        std::string("omni-connection-operator ") + version + " (" + commit + ")";
    Options options;
    CLI::App app{purpose, "omni-connection-operator"};
    app.require_subcommand(0, 1);
    app.set_version_flag("--version", build, "Print the version and exit");
    declare(app, options);
    // What follows `run` are the flags of the command that is the default, --help included.
    app.add_subcommand("run", "Run the operator (default)")->fallthrough()->set_help_flag();
    auto* version_command =
        app.add_subcommand("version", "Print the version and the commit it was built from");
    app.footer(footer); // of its help, and not of the commands'
    // Before the flags' variables are read, which may be wrong.
    version_command->parse_complete_callback([version_command, &build] {
        if (version_command->remaining_size() == 0)
            throw CLI::CallForVersion(build, 0);
    });
    try {
        auto arguments = with_empty_values(app, argc, argv);
        std::ranges::reverse(arguments); // as CLI11 wants them, without the program
        arguments.pop_back();
        app.parse(std::move(arguments));
        read_empty_variables(app, variable);
        if (const auto trouble = lease_trouble(options); !trouble.empty())
            return Exit{.code = 2, .text = trouble + "; see --help\n"};
    } catch (const CLI::CallForHelp&) {
        return Exit{.text = version_command->parsed()
                                ? app.help()
                                : app.get_formatter()->make_help(&app, app.get_name(),
                                                                 CLI::AppFormatMode::Normal)};
    } catch (const CLI::CallForVersion& called) {
        return Exit{.text = called.what() + std::string("\n")};
    } catch (const CLI::ExtrasError& error) {
        return Exit{
            .code = 2,
            .text = error.what() +
                    std::string("; the commands are run and version; see --help for the flags\n")};
    } catch (const CLI::ParseError& error) {
        return Exit{.code = 2, .text = error.what() + std::string("; see --help\n")};
    }
    return options;
}

} // namespace oco
