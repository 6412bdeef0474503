#include "options.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <variant>
#include <vector>

using namespace oco;
using namespace std::chrono_literals;

namespace {

std::variant<Options, Exit> parsed(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "omni-connection-operator");
    return parse_options(
        static_cast<int>(arguments.size()), arguments.data(), [](const std::string& name) {
            const char* value = std::getenv(name.c_str());
            return value == nullptr ? std::nullopt : std::optional<std::string>(value);
        });
}

Options accepted(const std::vector<const char*>& arguments) {
    auto outcome = parsed(arguments);
    const auto* exit = std::get_if<Exit>(&outcome);
    REQUIRE_MESSAGE(exit == nullptr, exit->text);
    return std::get<Options>(std::move(outcome));
}

Exit ended(const std::vector<const char*>& arguments) {
    auto outcome = parsed(arguments);
    REQUIRE(std::holds_alternative<Exit>(outcome));
    return std::get<Exit>(std::move(outcome));
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

// A variable of the environment, for as long as this lives.
class Variable {
  public:
    Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }

    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

    ~Variable() { unsetenv(name_); }

  private:
    const char* name_;
};

} // namespace

TEST_CASE("options: the defaults") {
    for (const std::vector<const char*>& arguments :
         {std::vector<const char*>{}, std::vector<const char*>{"run"}}) {
        const auto options = accepted(arguments);
        CHECK(options.namespaces.empty());
        CHECK(options.leader_elect);
        CHECK(options.leader_election_id == "omni-connection-operator");
        CHECK(options.metrics_bind_address == ":8080");
        CHECK(options.allowed_hosts == "*.omniapp.co,*.playground.exploreomni.dev");
        CHECK_FALSE(options.dry_run);
        CHECK(options.log_level == log::Level::info);
        CHECK(options.log_format == log::Format::json);
    }
}

TEST_CASE("options: flags, with and without the command") {
    const std::vector<const char*> flags = {"--kubeconfig",
                                            "/k",
                                            "--context=c",
                                            "--namespace",
                                            "a",
                                            "--namespace",
                                            "b,c",
                                            "--leader-elect=false",
                                            "--dry-run",
                                            "--insecure-allow-http=true",
                                            "--log-level",
                                            "trace",
                                            "--log-format=text",
                                            "--allowed-hosts",
                                            "a.example,b.example:8443"};
    std::vector<const char*> with_command = flags;
    with_command.insert(with_command.begin(), "run");
    for (const auto& arguments : {flags, with_command}) {
        const auto options = accepted(arguments);
        CHECK(options.kubeconfig == "/k");
        CHECK(options.context == "c");
        CHECK(options.namespaces == std::vector<std::string>{"a", "b", "c"});
        CHECK_FALSE(options.leader_elect);
        CHECK(options.dry_run);
        CHECK(options.insecure_allow_http);
        CHECK(options.log_level == log::Level::trace);
        CHECK(options.log_format == log::Format::text);
        CHECK(options.allowed_hosts == "a.example,b.example:8443");
    }
}

TEST_CASE("options: the environment stands in for flags, which win") {
    const Variable level("OMNI_CONNECTION_OPERATOR_LOG_LEVEL", "warn");
    const Variable elect("OMNI_CONNECTION_OPERATOR_LEADER_ELECT", "false");
    const Variable namespaces("OMNI_CONNECTION_OPERATOR_NAMESPACE", "a,b");
    for (const char* command : {"run", "--dry-run"}) {
        const auto options = accepted({command});
        CHECK(options.log_level == log::Level::warn);
        CHECK_FALSE(options.leader_elect);
        CHECK(options.namespaces == std::vector<std::string>{"a", "b"});
        const auto given = accepted({command, "--log-level=error", "--leader-elect"});
        CHECK(given.log_level == log::Level::error);
        CHECK(given.leader_elect);
    }
    {
        const Variable misspelt("OMNI_CONNECTION_OPERATOR_NAMESPACE", "a,B");
        const auto exit = ended({"run"});
        CHECK(exit.code == 2);
        CHECK(contains(exit.text, "--namespace: \"B\""));
    }
    const Variable wrong("OMNI_CONNECTION_OPERATOR_LOG_LEVEL", "loud");
    for (const char* command : {"run", "--dry-run"})
        CHECK(ended({command}).code == 2);
    CHECK(ended({"version"}).code == 0); // tells it all the same
}

TEST_CASE("options: an empty value is one, and never the next argument") {
    const auto options = accepted({"--allowed-hosts=", "--kubeconfig=", "--dry-run"});
    CHECK(options.allowed_hosts.empty());
    CHECK(options.kubeconfig.empty());
    CHECK(options.dry_run);
    for (const char* flag : {"--namespace=", "--operator-namespace=", "--leader-election-id=",
                             "--metrics-bind-address=", "--log-level=", "--leader-elect="}) {
        const auto exit = ended({flag, "--dry-run"});
        CHECK(exit.code == 2);
        const std::string name(flag, std::string_view(flag).size() - 1);
        CHECK_MESSAGE(contains(exit.text, name), exit.text);
    }
}

TEST_CASE("options: an empty variable never stands for the default") {
    {
        const Variable hosts("OMNI_CONNECTION_OPERATOR_ALLOWED_HOSTS", "");
        const Variable file("OMNI_CONNECTION_OPERATOR_KUBECONFIG", "");
        CHECK(accepted({}).allowed_hosts.empty());
        CHECK(accepted({"--allowed-hosts", "a.example"}).allowed_hosts == "a.example");
    }
    for (const char* name : {"NAMESPACE", "LEADER_ELECT", "DRY_RUN", "LOG_LEVEL",
                             "OPERATOR_NAMESPACE", "HEALTH_BIND_ADDRESS"}) {
        const std::string variable = std::string("OMNI_CONNECTION_OPERATOR_") + name;
        const Variable empty(variable.c_str(), "");
        const auto exit = ended({});
        CHECK(exit.code == 2);
        CHECK_MESSAGE(contains(exit.text, variable + ": it is empty"), exit.text);
    }
    const Variable empty("OMNI_CONNECTION_OPERATOR_NAMESPACE", "");
    CHECK(accepted({"--namespace", "team-a"}).namespaces == std::vector<std::string>{"team-a"});
    CHECK(ended({"version"}).code == 0);
}

TEST_CASE("options: names and addresses that are right") {
    const auto options =
        accepted({"--operator-namespace", "ops", "--leader-election-id", "a.b-1",
                  "--metrics-bind-address", "0", "--health-bind-address", "[::1]:0"});
    CHECK(options.operator_namespace == "ops");
    CHECK(options.leader_election_id == "a.b-1");
    CHECK(options.metrics_bind_address == "0");
    CHECK(options.health_bind_address == "[::1]:0");
}

TEST_CASE("options: the times of the Lease") {
    const auto defaults = accepted({});
    CHECK(defaults.lease_duration == 15s);
    CHECK(defaults.renew_deadline == 10s);
    CHECK(defaults.retry_period == 2s);
    const auto options =
        accepted({"--leader-elect-lease-duration=1m", "--leader-elect-renew-deadline", "40s",
                  "--leader-elect-retry-period=5s"});
    CHECK(options.lease_duration == 60s);
    CHECK(options.renew_deadline == 40s);
    CHECK(options.retry_period == 5s);
}

TEST_CASE("options: version and help") {
    for (const char* arguments : {"version", "--version"}) {
        const auto exit = ended({arguments});
        CHECK(exit.code == 0);
        CHECK(exit.text.starts_with("omni-connection-operator "));
        CHECK(exit.text.ends_with(")\n"));
    }
    for (const std::vector<const char*>& arguments :
         {std::vector<const char*>{"--help"}, std::vector<const char*>{"-h"},
          std::vector<const char*>{"run", "--help"},
          std::vector<const char*>{"--dry-run", "--help"}}) {
        const auto exit = ended(arguments);
        CHECK(exit.code == 0);
        for (const char* part :
             {"--kubeconfig", "--leader-elect", "--allowed-hosts", "*.omniapp.co", "--log-level",
              "trace", "version", "OMNI_CONNECTION_OPERATOR_LOG_LEVEL", "NO_PROXY"})
            CHECK_MESSAGE(contains(exit.text, part), part);
    }
    const auto exit = ended({"version", "--help"});
    CHECK(exit.code == 0);
    CHECK(contains(exit.text, "commit"));
    CHECK_FALSE(contains(exit.text, "--kubeconfig"));
}

TEST_CASE("options: wrong usage names what is wrong and what is allowed, in one line") {
    struct Case {
        std::vector<const char*> arguments;
        std::vector<const char*> says;
    };

    const std::vector<Case> cases = {
        {{"--frobnicate"}, {"--frobnicate"}},
        {{"run", "--frobnicate=1"}, {"--frobnicate"}},
        {{"frobnicate"}, {"frobnicate", "run", "version"}},
        {{"run", "frobnicate"}, {"frobnicate"}},
        {{"--dry-run", "frobnicate"}, {"frobnicate"}},
        {{"version", "now"}, {"version", "now"}},
        {{"version", "--log-level=info"}, {"version", "--log-level"}},
        {{"run", "version"}, {"version"}},
        {{"--log-level", "loud"},
         {"--log-level", "loud", "trace", "debug", "info", "warn", "error"}},
        {{"--log-level=2"}, {"--log-level", "2", "info"}},
        {{"--log-level=Info"}, {"--log-level", "Info", "info"}},
        {{"--log-level="}, {"--log-level"}},
        {{"--log-format", "xml"}, {"--log-format", "xml", "json", "text"}},
        {{"--leader-elect=perhaps"}, {"--leader-elect", "perhaps"}},
        {{"--kubeconfig"}, {"--kubeconfig"}},
        {{"--namespace", "Team_A"}, {"--namespace", "\"Team_A\"", "lower-case letters", "63"}},
        {{"--namespace", "a,b."}, {"--namespace", "\"b.\""}},
        {{"--namespace="}, {"--namespace", "\"\"", "name of a namespace"}}, // and not all of them
        {{"--namespace", ""}, {"--namespace", "\"\"", "name of a namespace"}},
        {{"--namespace", "a/b"}, {"--namespace", "a/b"}},
        {{"--namespace", "*"}, {"--namespace", "\"*\""}},
        {{"--operator-namespace", "my.ns"}, {"--operator-namespace", "my.ns", "namespace"}},
        {{"--operator-namespace", ""}, {"--operator-namespace", "name of a namespace"}},
        {{"--leader-election-id", "My_Lease"},
         {"--leader-election-id", "\"My_Lease\"", "name of a Lease", "253"}},
        {{"--leader-election-id="}, {"--leader-election-id", "name of a Lease"}},
        {{"--leader-election-id", ""}, {"--leader-election-id", "name of a Lease"}},
        {{"--leader-election-id", "a\nb"}, {"--leader-election-id", "\"a b\""}},
        {{"--leader-elect-lease-duration=10"}, {"--leader-elect-lease-duration", "\"10\"", "15s"}},
        {{"--leader-elect-retry-period=0s"}, {"--leader-elect-retry-period", "1s to 1h"}},
        {{"--leader-elect-renew-deadline=15s"},
         {"--leader-elect-lease-duration (15s)", "--leader-elect-renew-deadline (15s)"}},
        {{"--leader-elect-retry-period=9s", "--leader-elect-lease-duration=60s"},
         {"--leader-elect-renew-deadline (10s)", "--leader-elect-retry-period (9s)"}},
        {{"--leader-elect-lease-duration=12s"},
         {"--leader-elect-lease-duration (12s)", "held for 10s more"}},
        {{"--metrics-bind-address", "8080"},
         {"--metrics-bind-address", "no port", ":8080", "or 0 to serve nothing"}},
        {{"--health-bind-address", "example.com:1"}, {"--health-bind-address", "IP address"}},
        {{"--health-bind-address=:99999"}, {"--health-bind-address", "65535"}},
    };
    for (const auto& [arguments, says] : cases) {
        CAPTURE(arguments.back());
        const auto exit = ended(arguments);
        CHECK(exit.code == 2);
        CHECK(exit.text.find('\n') == exit.text.size() - 1);
        for (const char* part : says)
            CHECK_MESSAGE(contains(exit.text, part), exit.text);
    }
}
