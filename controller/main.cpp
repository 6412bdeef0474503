// The composition root: the only place that names the real clock, sockets, signals, files and the
// environment.
#include "base/digest.hpp"
#include "kube/config.hpp"
#include "kube/events.hpp"
#include "kube/lease.hpp"
#include "ops/http_server.hpp"
#include "ops/liveness.hpp"
#include "options.hpp"
#include "reconcile/controller.hpp"
#include "rt/deadline.hpp"
#include "rt/system_runtime.hpp"
#include "version.hpp"
#include "wiping_heap.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
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
constexpr rt::Duration api_server_patience = std::chrono::seconds(30);
// The end takes ten seconds at most: eight for requests under way, one to record what became of
// them (reconcile::Controller), and what is left to release the Lease.
constexpr rt::Duration shutdown_patience = std::chrono::seconds(8);
constexpr rt::Duration release_patience = std::chrono::milliseconds(700);

std::optional<std::string> environment_variable(const std::string& name) {
    const char* value = std::getenv(name.c_str()); // NOLINT(concurrency-mt-unsafe): at start
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<SecretBytes> read_file(const std::string& path) {
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
        return make_error(ErrorClass::invalid, "read error");
    return bytes;
}

// No core dumps: they would hold the API token and whatever was being sent.
void forbid_core_dumps() {
    prctl(PR_SET_DUMPABLE, 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    setrlimit(RLIMIT_CORE, &none);
}

std::string host_name() {
    char name[256] = "unknown";
    gethostname(name, sizeof name - 1);
    return name;
}

void configure_log(const Options& options) {
    log::configure({.level = options.log_level,
                    .format = options.log_format,
                    .clock = [] { return std::chrono::system_clock::now(); },
                    .sink =
                        [](std::string_view line) {
                            std::fwrite(line.data(), 1, line.size(), stderr);
                        }});
}

// Everything that lives as long as the process.
class Operator {
  public:
    Operator(asio::io_context& context, const Options& options, kube::ClientConfig config,
             std::unique_ptr<kube::Client> client, reconcile::Settings settings)
        : runtime_(context), tasks_(runtime_), control_(runtime_), client_(std::move(client)),
          source_(std::move(config.source)),
          events_(runtime_, *client_, "omniconnection.io/omni-connection-operator", host_name()),
          elector_(make_elector(options, settings.operator_namespace)),
          controller_(runtime_, *client_, events_, metrics(), offload_, std::move(settings),
                      elector_.get()),
          options_(options) {}

    // The exit code.
    asio::awaitable<int> run();

    static ops::Metrics& metrics() {
        static ops::Metrics instance;
        return instance;
    }

  private:
    asio::awaitable<Result<void>> await_api_server();
    Result<void> serve();
    Result<void> start_server(std::unique_ptr<ops::HttpServer>& server, ops::Handlers handlers,
                              const std::string& address, std::string_view what);
    ops::Reply readiness() const;
    ops::Reply liveness() const;
    asio::awaitable<void> beat();
    asio::awaitable<void> stop();
    asio::awaitable<void> control();
    std::unique_ptr<kube::LeaderElector> make_elector(const Options& options,
                                                      const std::string& ns);

    rt::SystemRuntime runtime_;
    rt::TaskGroup tasks_;
    rt::TaskGroup control_; // ends before the others
    asio::thread_pool offload_{1};
    std::unique_ptr<kube::Client> client_;
    std::string source_;
    kube::EventRecorder events_;
    std::unique_ptr<kube::LeaderElector> elector_; // null: no election
    reconcile::Controller controller_;
    const Options& options_;
    bool failed_ = false;
    rt::TimePoint last_beat_{};
    std::optional<asio::signal_set> signals_;
    std::unique_ptr<ops::HttpServer> metrics_server_;
    std::unique_ptr<ops::HttpServer> health_server_;
};

asio::awaitable<int> Operator::run() {
    log::info("starting", {{"version", version}, {"commit", commit}, {"config", source_}});
    last_beat_ = runtime_.now();
    metrics().build_info(version, commit);
    metrics().on_scrape([this] { return controller_.snapshot(); });
    if (auto served = serve(); !served) {
        std::cerr << served.error().message << '\n';
        co_return 1;
    }
    signals_.emplace(runtime_.executor(), SIGTERM, SIGINT);
    tasks_.spawn(beat());
    control_.spawn(control());
    co_await signals_->async_wait(asio::as_tuple(asio::use_awaitable));
    log::info("stopping", {{"because", failed_ ? "of a failure" : "of a signal"}});
    co_await stop();
    tasks_.cancel();
    co_await tasks_.join();
    co_return failed_ ? 1 : 0;
}

// Ends only when there is no way to go on: the API server never answered, or the Lease is lost.
// Then the pod starts anew, with nothing remembered.
asio::awaitable<void> Operator::control() {
    if (auto answered = co_await await_api_server(); !answered) {
        std::cerr << answered.error().message << '\n';
    } else {
        tasks_.spawn(events_.run());
        co_await controller_.run();
    }
    failed_ = true;
    signals_->cancel();
}

std::unique_ptr<kube::LeaderElector> Operator::make_elector(const Options& options,
                                                            const std::string& ns) {
    if (!options.leader_elect)
        return nullptr;
    unsigned char bytes[8];
    runtime_.random_bytes(bytes);
    return std::make_unique<kube::LeaderElector>(
        runtime_, *client_,
        kube::LeaseOptions{
            .ns = ns,
            .name = options.leader_election_id,
            .identity = host_name() + "_" +
                        fingerprint({reinterpret_cast<const char*>(bytes), sizeof bytes}, 16)});
}

// The API server has to answer once; after that the operator never gives up.
asio::awaitable<Result<void>> Operator::await_api_server() {
    const auto deadline = runtime_.now() + api_server_patience;
    for (;;) {
        auto answer = co_await rt::with_deadline(runtime_, deadline - runtime_.now(),
                                                 client_->get("/version"));
        if (answer)
            co_return Result<void>();
        const Error& error = answer.error();
        const bool hopeless =
            error.kind == ErrorClass::unauthorized || error.kind == ErrorClass::tls;
        if (hopeless || runtime_.now() + std::chrono::seconds(1) >= deadline)
            co_return make_error(error.kind,
                                 "the Kubernetes API server at " +
                                     rt::Endpoint{.host = client_->config().server.host,
                                                  .port = client_->config().server.port}
                                         .authority() +
                                     " (" + source_ + ") " +
                                     (error.kind == ErrorClass::unauthorized
                                          ? "refuses the credentials: "
                                      : error.kind == ErrorClass::tls ? "cannot be trusted: "
                                                                      : "does not answer: ") +
                                     error.message);
        log::info("waiting for the API server", {{"error", error.message}});
        co_await runtime_.sleep(std::chrono::seconds(1));
    }
}

Result<void> Operator::start_server(std::unique_ptr<ops::HttpServer>& server,
                                    ops::Handlers handlers, const std::string& address,
                                    std::string_view what) {
    if (address == "0")
        return {};
    server = std::make_unique<ops::HttpServer>(runtime_, std::move(handlers));
    if (auto listening = server->listen(address); !listening)
        return make_error(ErrorClass::invalid,
                          "--" + std::string(what) + "-bind-address: " + listening.error().message);
    const auto host = address.substr(0, address.rfind(':'));
    log::info("serving " + std::string(what),
              {{"address", host + ":" + std::to_string(server->port())}});
    tasks_.spawn(server->run());
    return {};
}

Result<void> Operator::serve() {
    ops::Handlers metrics_pages;
    metrics_pages["/metrics"] = [] {
        return ops::Reply{.content_type = std::string(ops::exposition_content_type),
                          .body = metrics().scrape()};
    };
    if (auto started = start_server(metrics_server_, std::move(metrics_pages),
                                    options_.metrics_bind_address, "metrics");
        !started)
        return started;
    ops::Handlers health_pages;
    health_pages["/healthz"] = [this] {
        return liveness();
    };
    health_pages["/readyz"] = [this] {
        return readiness();
    };
    return start_server(health_server_, std::move(health_pages), options_.health_bind_address,
                        "health");
}

ops::Reply Operator::readiness() const {
    if (controller_.synced())
        return {.body = "ok\n"};
    const auto trouble = controller_.trouble();
    return {.status = 503,
            .body = (trouble.empty() ? "the caches are being filled" : trouble) + "\n"};
}

ops::Reply Operator::liveness() const {
    const auto trouble = ops::liveness_trouble(runtime_.now(), last_beat_, controller_.watches());
    if (trouble.empty())
        return {.body = "ok\n"};
    return {.status = 503, .body = trouble + "\n"};
}

asio::awaitable<void> Operator::beat() {
    for (;;) {
        last_beat_ = runtime_.now();
        co_await runtime_.sleep(std::chrono::seconds(1));
    }
}

// No new work; requests under way get a while to finish. Those that don't are cut, and recorded as
// unknown; only then another replica may take over at once. Else the Lease runs out, and the next
// leader knows.
asio::awaitable<void> Operator::stop() {
    controller_.close();
    const auto deadline = runtime_.now() + shutdown_patience;
    while (!controller_.idle() && runtime_.now() < deadline)
        co_await runtime_.sleep(std::chrono::milliseconds(20));
    control_.cancel();
    co_await control_.join();
    if (!elector_ || !controller_.recorded())
        co_return;
    auto released = co_await rt::with_deadline(runtime_, release_patience, elector_->release());
    if (!released)
        log::warn("the Lease was not released", {{"error", released.error().message}});
}

int run_operator(const Options& options) {
    const kube::Environment environment{.variable = environment_variable, .read_file = read_file};
    auto config = kube::load_client_config(
        {.kubeconfig = options.kubeconfig, .context = options.context}, environment);
    auto hosts = reconcile::AllowedHosts::parse(options.allowed_hosts);
    if (!hosts) {
        std::cerr << hosts.error().message << '\n';
        return 2;
    }
    if (!config) {
        std::cerr << config.error().message << '\n';
        return 1;
    }
    reconcile::Settings settings{.allowed_hosts = *hosts,
                                 .allow_http = options.insecure_allow_http,
                                 .namespaces = options.namespaces,
                                 .operator_namespace = options.operator_namespace,
                                 .user_agent = std::string("omni-connection-operator/") + version};
    if (settings.operator_namespace.empty())
        settings.operator_namespace =
            config->source == "in-cluster" && !config->default_namespace.empty()
                ? config->default_namespace
                : std::string(default_operator_namespace);
    asio::io_context context(1);
    rt::SystemRuntime runtime(context);
    kube::ClientConfig summary{.source = config->source};
    const std::string api_host = config->server.host;
    auto client = kube::Client::make(
        runtime, std::move(*config), read_file,
        [api_host](std::string_view method, int code, rt::Duration took) {
            Operator::metrics().kube_request(code, method, api_host, ops::Seconds(took));
        });
    if (!client) {
        std::cerr << client.error().message << '\n';
        return 1;
    }
    Operator op(context, options, std::move(summary), std::move(*client), std::move(settings));
    int code = 1;
    asio::co_spawn(context, op.run(), [&code](const std::exception_ptr& failure, int result) {
        if (failure)
            std::rethrow_exception(failure);
        code = result;
    });
    context.run();
    return code;
}

} // namespace

int main(int argc, char** argv) {
    use_wiping_heap();
    forbid_core_dumps();
    auto parsed = parse_options(argc, argv);
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
