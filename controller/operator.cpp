#include "operator.hpp"

#include "base/log.hpp"
#include "ops/liveness.hpp"
#include "rt/deadline.hpp"

#include <boost/asio/this_coro.hpp>

namespace oco {
namespace {

constexpr std::string_view controller_name = "omniconnection.io/omni-connection-operator";
constexpr rt::Duration api_server_patience = std::chrono::seconds(30);
// The end takes ten seconds at most: eight for requests under way, one to record what became of
// them (reconcile::Controller), and what is left to release the Lease.
constexpr rt::Duration shutdown_patience = std::chrono::seconds(8);
constexpr rt::Duration release_patience = std::chrono::milliseconds(700);

std::unique_ptr<kube::LeaderElector> make_elector(rt::Runtime& runtime, kube::Client& client,
                                                  const std::string& ns,
                                                  const OperatorOptions& options) {
    if (!options.leader_elect)
        return nullptr;
    return std::make_unique<kube::LeaderElector>(
        runtime, client,
        kube::LeaseOptions{.ns = ns,
                           .name = options.leader_election_id,
                           .identity = options.host_name + "_" + runtime.random_name()});
}

} // namespace

Operator::Operator(rt::Runtime& runtime, std::unique_ptr<kube::Client> client,
                   ops::Metrics& metrics, boost::asio::thread_pool& offload,
                   reconcile::Settings settings, OperatorOptions options)
    : runtime_(runtime), tasks_(runtime), control_(runtime), client_(std::move(client)),
      events_(runtime, *client_, std::string(controller_name), options.host_name),
      elector_(make_elector(runtime, *client_, settings.operator_namespace, options)),
      controller_(runtime, *client_, events_, metrics, offload, std::move(settings),
                  elector_.get()),
      ended_(runtime), last_beat_(runtime.now()) {}

asio::awaitable<int> Operator::run() {
    std::exception_ptr cancelled;
    try {
        tasks_.spawn(beat());
        control_.spawn(control());
        co_await ended_.wait();
        log::info("stopping", {{"because", failed_ ? "of a failure" : "of a signal"}});
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
    ended_.notify();
}

asio::awaitable<void> Operator::control() {
    try {
        co_await work();
    } catch (const std::exception& defect) {
        if (rt::is_cancellation(defect))
            throw;
        log::error("a defect of the operator: it stops", {{"error", defect.what()}});
    }
    failed_ = true;
    ended_.notify();
}

asio::awaitable<void> Operator::work() {
    if (auto answered = co_await await_api_server(); !answered) {
        failure_ = answered.error().message;
    } else {
        tasks_.spawn(events_.run());
        co_await controller_.run();
    }
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
        const auto& config = client_->config();
        if (hopeless || runtime_.now() + std::chrono::seconds(1) >= deadline)
            co_return make_error(
                error.kind,
                "the Kubernetes API server at " +
                    rt::Endpoint{.host = config.server.host, .port = config.server.port}
                        .authority() +
                    " (" + config.source + ") " +
                    (error.kind == ErrorClass::unauthorized ? "refuses the credentials: "
                     : error.kind == ErrorClass::tls        ? "cannot be trusted: "
                                                            : "does not answer: ") +
                    error.message);
        log::info("waiting for the API server", {{"error", error.message}});
        co_await runtime_.sleep(std::chrono::seconds(1));
    }
}

std::string Operator::readiness_trouble() const {
    if (controller_.synced())
        return {};
    const auto trouble = controller_.trouble();
    return trouble.empty() ? "the caches are being filled" : trouble;
}

std::string Operator::liveness_trouble() const {
    return ops::liveness_trouble(runtime_.now(), last_beat_, controller_.watches());
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

} // namespace oco
