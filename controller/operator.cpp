#include "operator.hpp"

#include "base/log.hpp"
#include "net/authority.hpp"
#include "ops/liveness.hpp"
#include "rt/deadline.hpp"

#include <boost/asio/this_coro.hpp>

namespace oco {
namespace {

constexpr std::string_view controller_name = "omniconnection.io/omni-connection-operator";
constexpr rt::Duration api_server_patience = std::chrono::seconds(30);
constexpr int most_waiting_lines = 3;
// Shutdown takes ten seconds at most: eight for requests in flight, one to record their results
// (reconcile::Controller), and what is left to release the Lease.
constexpr rt::Duration shutdown_patience = std::chrono::seconds(8);
constexpr rt::Duration release_patience = std::chrono::milliseconds(700);

std::string start_failure(const kube::ClientConfig& config, const Error& error) {
    const std::string server = "the Kubernetes API server at " +
                               net::join_authority(config.server.host, config.server.port) + " (" +
                               config.source + ") ";
    switch (error.kind) {
    case ErrorClass::unauthorized:
        return server + "refuses the credentials: " + error.message;
    case ErrorClass::tls:
        return server + "cannot be trusted: " + error.message;
    default:
        return server + "does not answer: " + error.message +
               "; check that it runs, that this is its address, and that no firewall or "
               "NetworkPolicy stands between";
    }
}

std::unique_ptr<kube::LeaderElector> make_elector(rt::Runtime& runtime, kube::Client& client,
                                                  const std::string& ns,
                                                  const OperatorOptions& options) {
    if (!options.leader_elect)
        return nullptr;
    return std::make_unique<kube::LeaderElector>(
        runtime, client,
        kube::LeaseOptions{.ns = ns,
                           .name = options.leader_election_id,
                           .identity = options.host_name + "_" + runtime.random_name(),
                           .times = options.lease_times});
}

} // namespace

Operator::Operator(rt::Runtime& runtime, std::unique_ptr<kube::Client> client,
                   ops::Metrics& metrics, reconcile::Settings settings, OperatorOptions options)
    : runtime_(runtime), metrics_(metrics), settings_(std::move(settings)), tasks_(runtime),
      control_(runtime), client_(std::move(client)),
      events_(runtime, *client_, std::string(controller_name), options.host_name),
      elector_(make_elector(runtime, *client_, settings_.operator_namespace, options)),
      controller_(make_controller({})), ended_(runtime), last_beat_(runtime.now()) {}

std::unique_ptr<reconcile::Controller> Operator::make_controller(reconcile::Handover before) {
    return std::make_unique<reconcile::Controller>(runtime_, *client_, events_, metrics_, settings_,
                                                   elector_.get(), std::move(before));
}

asio::awaitable<int> Operator::run() {
    std::exception_ptr cancelled;
    try {
        tasks_.spawn(beat());
        control_.spawn(control());
        co_await ended_.wait();
        log::info("stopping", {{"reason", failed_ ? "failure" : "signal"}});
        co_await shut_down();
    } catch (...) {
        cancelled = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state();
    control_.cancel();
    co_await control_.join();
    tasks_.cancel();
    co_await tasks_.join();
    if (cancelled)
        std::rethrow_exception(cancelled);
    co_return failed_ ? 1 : 0;
}

void Operator::stop() {
    stopping_ = true;
    ended_.notify();
}

asio::awaitable<void> Operator::control() {
    try {
        co_await work();
    } catch (const std::exception& defect) {
        if (rt::is_cancellation(defect))
            throw;
        log::error("unexpected exception: stopping", {{"error", defect.what()}});
        failed_ = true;
    }
    ended_.notify();
}

asio::awaitable<void> Operator::work() {
    if (auto answered = co_await await_api_server(); !answered) {
        failure_ = answered.error().message;
        failed_ = true;
        co_return;
    }
    tasks_.spawn(events_.run());
    for (;;) {
        co_await controller_->run();
        if (stopping_ || control_.cancelled()) // meanwhile
            co_return;
        log::warn("the Lease is lost: beginning again, as a standby");
        controller_ = make_controller(controller_->handover());
    }
}

// The API server has to answer once, with whatever it likes but a 401; after that the operator
// never gives up.
asio::awaitable<Result<void>> Operator::await_api_server() {
    const auto deadline = runtime_.now() + api_server_patience;
    std::string said;
    for (int lines = 0;;) {
        auto answer = co_await rt::with_deadline(runtime_, deadline - runtime_.now(),
                                                 client_->get("/version"));
        if (answer)
            co_return Result<void>();
        const Error& error = answer.error();
        const bool unauthorized = error.kind == ErrorClass::unauthorized;
        if (error.http_status != 0 && !unauthorized) {
            // Each has this path, for whoever it lets in.
            const bool another = error.kind == ErrorClass::not_found;
            log::warn(
                "the API server answered with an error; the operator goes on",
                {{"status", std::to_string(error.http_status)},
                 {"error", error.message + (another ? ", as no Kubernetes API server answers: "
                                                      "check the server's address"
                                                    : "")}});
            co_return Result<void>();
        }
        const bool hopeless = unauthorized || error.kind == ErrorClass::tls;
        if (hopeless || runtime_.now() + std::chrono::seconds(1) >= deadline)
            co_return make_error(error.kind, start_failure(client_->config(), error));
        if (error.message != said && ++lines <= most_waiting_lines)
            log::info("waiting for the API server", {{"error", error.message}});
        said = error.message;
        co_await runtime_.sleep(std::chrono::seconds(1));
    }
}

ops::Reply Operator::readiness() const {
    const auto trouble = controller_->trouble();
    if (controller_->synced())
        return {.body = trouble.empty() ? "ok\n" : "ok, except for this: " + trouble + "\n"};
    return {.status = 503,
            .body = (trouble.empty() ? "waiting for the caches to sync" : trouble) + "\n"};
}

std::string Operator::liveness_trouble() const {
    return ops::liveness_trouble(runtime_.now(), last_beat_, controller_->watches());
}

asio::awaitable<void> Operator::beat() {
    for (;;) {
        last_beat_ = runtime_.now();
        co_await runtime_.sleep(std::chrono::seconds(1));
    }
}

// Requests that do not end in time are cut, and recorded as unknown; only then another replica may
// take over at once. Else the Lease runs out, and the next leader knows.
asio::awaitable<void> Operator::shut_down() {
    controller_->close();
    const auto deadline = runtime_.now() + shutdown_patience;
    while (!controller_->idle() && runtime_.now() < deadline)
        co_await runtime_.sleep(std::chrono::milliseconds(20));
    control_.cancel();
    co_await control_.join();
    const auto unsettled = controller_->unsettled();
    if (!elector_ || !unsettled)
        co_return;
    auto released =
        co_await rt::with_deadline(runtime_, release_patience, elector_->release(*unsettled));
    if (!released && released.error().kind != ErrorClass::invalid) // it was not held
        log::warn("the Lease was not released", {{"error", released.error().message}});
}

} // namespace oco
