// The composition root: the only place that names the real clock, sockets, signals, files and the
// environment.
#include "kube/config/client_config.hpp"
#include "net/proxy.hpp"
#include "operator.hpp"
#include "ops/http_server.hpp"
#include "ops/log_output.hpp"
#include "options.hpp"
#include "rt/system_runtime.hpp"
#include "version.hpp"
#include "wiping_heap.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace {

using namespace oco;
namespace asio = boost::asio;

constexpr std::string_view default_operator_namespace = "omni-connection-operator-system";

std::optional<std::string> environment_variable(const std::string& name) {
    const char* value = std::getenv(name.c_str()); // NOLINT(concurrency-mt-unsafe): at start
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<SecretBytes> read_file(const std::string& path) {
    // One opens, and then cannot be read.
    if (std::error_code unknown; std::filesystem::is_directory(path, unknown))
        return make_error(ErrorClass::invalid, std::generic_category().message(EISDIR));
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return make_error(errno == ENOENT || errno == ENOTDIR ? ErrorClass::not_found
                                                              : ErrorClass::invalid,
                          std::generic_category().message(errno));
    SecretBytes bytes;
    char chunk[4096];
    while (bytes.size() <= kube::max_config_file_bytes &&
           (file.read(chunk, sizeof chunk) || file.gcount() > 0))
        bytes.append({chunk, static_cast<std::size_t>(file.gcount())});
    wipe(chunk, sizeof chunk);
    if (file.bad())
        return make_error(ErrorClass::invalid,
                          std::generic_category().message(errno == 0 ? EIO : errno));
    return bytes;
}

// No core dumps: they would hold the API token and whatever was being sent.
void forbid_core_dumps() {
    prctl(PR_SET_DUMPABLE, 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    setrlimit(RLIMIT_CORE, &none);
}

// The usual 1024 are few for connections to many hosts that do not answer. Nothing here uses
// select(), for which it is the limit.
void use_all_descriptors() {
    rlimit descriptors{};
    if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0)
        return;
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
}

std::string host_name() {
    char name[256] = "unknown";
    gethostname(name, sizeof name - 1);
    return name;
}

ops::LogOutput& standard_error() {
    static ops::LogOutput output(STDERR_FILENO);
    return output;
}

// For people, beside the log.
void complain(const std::string& message) {
    standard_error().write(message + "\n");
}

// Where one of the standard streams is closed, the next file or socket to be opened would take its
// place, and get the log. A reader of the log that goes away does not end the process.
void secure_standard_streams() {
    while (true) {
        const int descriptor = open("/dev/null", O_RDWR);
        if (descriptor > STDERR_FILENO)
            close(descriptor);
        if (descriptor < 0 || descriptor > STDERR_FILENO)
            break;
    }
    std::signal(SIGPIPE, SIG_IGN);
}

void configure_log(const Options& options) {
    log::configure({.level = options.log_level,
                    .format = options.log_format,
                    .clock = [] { return std::chrono::system_clock::now(); },
                    .sink =
                        [](std::string_view line) {
                            standard_error().write(line);
                        }});
}

ops::Reply health_page(const std::string& trouble) {
    return trouble.empty() ? ops::Reply{.body = "ok\n"}
                           : ops::Reply{.status = 503, .body = trouble + "\n"};
}

// The pages for Prometheus and for the kubelet.
class Pages {
  public:
    Pages(rt::Runtime& runtime, const Operator& op, const ops::Metrics& metrics)
        : runtime_(runtime), tasks_(runtime), op_(op), metrics_(metrics) {}

    Result<void> serve(const Options& options) {
        ops::Handlers metrics_pages;
        metrics_pages["/metrics"] = [this] {
            return ops::Reply{.content_type = std::string(ops::exposition_content_type),
                              .body = metrics_.scrape()};
        };
        ops::Handlers health_pages;
        health_pages["/healthz"] = [this] {
            return health_page(op_.liveness_trouble());
        };
        health_pages["/readyz"] = [this] {
            return op_.readiness();
        };
        auto started = start(metrics_server_, std::move(metrics_pages),
                             options.metrics_bind_address, "metrics");
        return started ? start(health_server_, std::move(health_pages), options.health_bind_address,
                               "health")
                       : started;
    }

    asio::awaitable<void> close() {
        tasks_.cancel();
        co_await tasks_.join();
    }

  private:
    Result<void> start(std::unique_ptr<ops::HttpServer>& server, ops::Handlers handlers,
                       const std::string& address, std::string_view what) {
        if (address == "0")
            return {};
        server = std::make_unique<ops::HttpServer>(runtime_, std::move(handlers));
        if (auto listening = server->listen(address); !listening)
            return make_error(ErrorClass::invalid, "--" + std::string(what) + "-bind-address: " +
                                                       listening.error().message);
        const auto host = address.substr(0, address.rfind(':'));
        log::info("serving " + std::string(what),
                  {{"address", host + ":" + std::to_string(server->port())}});
        tasks_.spawn(server->run());
        return {};
    }

    rt::Runtime& runtime_;
    rt::TaskGroup tasks_;
    const Operator& op_;
    const ops::Metrics& metrics_;
    std::unique_ptr<ops::HttpServer> metrics_server_;
    std::unique_ptr<ops::HttpServer> health_server_;
};

asio::awaitable<void> keep_house(rt::Runtime& runtime) {
    for (;;) {
        co_await runtime.sleep(std::chrono::minutes(1));
        return_free_memory();
        standard_error().flush();
    }
}

asio::awaitable<int> run_until_signal(asio::io_context& context, rt::Runtime& runtime,
                                      const Options& options, Pages& pages, Operator& op) {
    if (auto served = pages.serve(options); !served) {
        complain(served.error().message);
        co_await pages.close();
        co_return 1;
    }
    asio::signal_set signals(context, SIGTERM, SIGINT);
    signals.async_wait([&op](const boost::system::error_code& cancelled, int) {
        if (!cancelled)
            op.stop();
    });
    rt::TaskGroup aside(runtime);
    aside.spawn(keep_house(runtime));
    const int code = co_await op.run();
    aside.cancel();
    co_await aside.join();
    signals.cancel();
    co_await pages.close();
    if (!op.failure().empty())
        complain(op.failure());
    co_return code;
}

int run_operator(const Options& options) {
    const kube::Environment environment{.variable = environment_variable, .read_file = read_file};
    auto config = kube::load_client_config(
        {.kubeconfig = options.kubeconfig, .context = options.context}, environment);
    auto hosts = reconcile::AllowedHosts::parse(options.allowed_hosts);
    if (!hosts) {
        complain(hosts.error().message);
        return 2;
    }
    if (!config) {
        complain(config.error().message);
        return 1;
    }
    auto proxies = net::ProxyPolicy::from_environment(environment_variable);
    if (!proxies) {
        complain(proxies.error().message);
        return 1;
    }
    // As in client-go, a kubeconfig's proxy-url wins.
    if (!config->proxy && config->server.scheme == net::Scheme::https)
        config->proxy = proxies->proxy_for(config->server.host, config->server.port);
    reconcile::Settings settings{.allowed_hosts = *hosts,
                                 .allow_http = options.insecure_allow_http,
                                 .dry_run = options.dry_run,
                                 .namespaces = options.namespaces,
                                 .operator_namespace = options.operator_namespace,
                                 .user_agent = std::string("omni-connection-operator/") + version,
                                 .proxies = std::move(*proxies)};
    if (settings.operator_namespace.empty())
        settings.operator_namespace =
            config->source == "in-cluster" && !config->default_namespace.empty()
                ? config->default_namespace
                : std::string(default_operator_namespace);
    asio::io_context context(1);
    rt::SystemRuntime runtime(context);
    ops::Metrics metrics;
    const std::string source = config->source;
    const std::string api_host = config->server.host;
    auto client = kube::Client::make(
        runtime, std::move(*config), read_file,
        [&metrics, api_host](std::string_view method, int code, rt::Duration took) {
            metrics.kube_request(code, method, api_host, ops::Seconds(took));
        });
    if (!client) {
        complain(client.error().message);
        return 1;
    }
    Operator op(runtime, std::move(*client), metrics, std::move(settings),
                {.host_name = host_name(),
                 .leader_elect = options.leader_elect && !options.dry_run,
                 .leader_election_id = options.leader_election_id,
                 .lease_times = {.duration = options.lease_duration,
                                 .renew_deadline = options.renew_deadline,
                                 .retry_period = options.retry_period}});
    Pages pages(runtime, op, metrics);
    log::info("starting", {{"version", version}, {"commit", commit}, {"config", source}});
    if (options.dry_run)
        log::info("a dry run: nothing is sent to Omni, and no status is written");
    metrics.build_info(version, commit);
    metrics.on_scrape([&op] { return op.snapshot(); });
    int code = 1;
    asio::co_spawn(context, run_until_signal(context, runtime, options, pages, op),
                   [&code, &context](const std::exception_ptr& failure, int result) {
                       if (failure)
                           std::rethrow_exception(failure);
                       code = result;
                       context.stop(); // idle connections are still watched
                   });
    context.run();
    if (runtime.busy_aside()) // the result is not needed any more, and may take seconds
        std::_Exit(code);
    return code;
}

} // namespace

int main(int argc, char** argv) {
    use_wiping_heap();
    forbid_core_dumps();
    use_all_descriptors();
    secure_standard_streams();
    auto parsed = parse_options(argc, argv, environment_variable);
    if (const auto* exit = std::get_if<Exit>(&parsed)) {
        (exit->code == 0 ? std::cout : std::cerr) << exit->text;
        return exit->code;
    }
    const auto& options = std::get<Options>(parsed);
    configure_log(options);
    try {
        return run_operator(options);
    } catch (const std::exception& failure) {
        log::error("a defect of the operator: it stops", {{"error", failure.what()}});
        return 1;
    }
}
