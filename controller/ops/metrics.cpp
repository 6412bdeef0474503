#include "ops/metrics.hpp"

#include "ops/process_metrics.hpp"
#include "ops/series.hpp"

#include <prometheus/text_serializer.h>

#include <array>
#include <optional>
#include <sstream>

namespace oco::ops {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = std::vector<double>;

constexpr std::array fields = {"credential", "base_role", "environment_user_attribute"};
constexpr std::array results = {"success",      "rejected",    "refused",
                                "rate_limited", "unavailable", "unknown"};

// Work within this process: from 100 microseconds.
const Buckets& work_buckets() {
    static const Buckets buckets = {0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1,
                                    0.25,   0.5,    1,     2.5,   5,    10,    30,   60};
    return buckets;
}

// A wait may be long: pacing spreads work over minutes, an outage over more.
const Buckets& wait_buckets() {
    static const Buckets buckets = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1,   2.5,
                                    5,     10,    30,   60,   120, 300, 600, 1800};
    return buckets;
}

// Those of client-go.
const Buckets& kube_request_buckets() {
    static const Buckets buckets = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};
    return buckets;
}

// Up to the deadline of a request, 10 s.
const Buckets& omni_request_buckets() {
    static const Buckets buckets = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 7.5, 10};
    return buckets;
}

// From a change that goes out at once to one that waits for an hour of outage.
const Buckets& rotation_buckets() {
    static const Buckets buckets = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,    2.5,
                                    5,     10,   30,    60,   120, 300,  600, 1800, 3600};
    return buckets;
}

std::string code_label(int code) {
    return code == 0 ? "<error>" : std::to_string(code);
}

} // namespace

struct Metrics::Families {
    prometheus::Registry registry;

    Series<Gauge> build_info{registry,
                             {"omni_connection_operator_build_info",
                              "Always 1; the labels identify the build.",
                              {"version", "commit"}}};

    Series<Counter> reconciles{
        registry,
        {"omni_reconcile_total", "Reconciliations, by kind and result.", {"kind", "result"}}};
    Series<Histogram> reconcile_duration{
        registry,
        {"omni_reconcile_duration_seconds", "How long a reconciliation took.", {"kind"}},
        work_buckets()};
    Series<Counter> drift{
        registry,
        {"omni_drift_detected_total", "Settings that were found changed in Omni.", {"field"}}};
    Series<Counter> pushes{registry,
                           {"omni_pushes_total",
                            "Attempts to push a field to a connection, by result.",
                            {"omni_instance", "field", "result"}}};
    Series<Histogram> rotation_latency{
        registry,
        {"omni_rotation_latency_seconds",
         "Time from the observed change of a Secret until Omni accepts the value.",
         {}},
        rotation_buckets()};

    Series<Counter> omni_requests{registry,
                                  {"omni_api_requests_total",
                                   "Requests to Omni, by status code; <error> means no response.",
                                   {"omni_instance", "method", "code"}}};
    Series<Histogram> omni_request_duration{registry,
                                            {"omni_api_request_duration_seconds",
                                             "How long Omni took to respond.",
                                             {"omni_instance", "method"}},
                                            omni_request_buckets()};
    Series<Counter> rate_limited{registry,
                                 {"omni_rate_limited_total",
                                  "Requests to which Omni responded with 429.",
                                  {"omni_instance"}}};
    Series<Histogram> rate_limit_wait{registry,
                                      {"omni_rate_limit_wait_seconds",
                                       "How long a request was held back by the rate limit.",
                                       {"omni_instance"}},
                                      wait_buckets()};

    Series<Counter> kube_requests{
        registry,
        {"rest_client_requests_total",
         "Requests to the Kubernetes API, by status code; <error> means no response.",
         {"code", "method", "host"}}};
    Series<Histogram> kube_request_duration{registry,
                                            {"rest_client_request_duration_seconds",
                                             "How long the Kubernetes API took to respond.",
                                             {"verb", "host"}},
                                            kube_request_buckets()};
    Series<Gauge> leader{registry,
                         {"leader_election_master_status",
                          "1 while this process holds the Lease, 0 while it is on standby.",
                          {"name"}}};

    Series<Counter> work_added{
        registry, {"workqueue_adds_total", "Items added to the work queue.", {"name"}}};
    Series<Counter> work_retried{
        registry, {"workqueue_retries_total", "Items that were queued again.", {"name"}}};
    Series<Histogram> work_queued{registry,
                                  {"workqueue_queue_duration_seconds",
                                   "How long an item waited in the work queue.",
                                   {"name"}},
                                  wait_buckets()};
    Series<Histogram> work_duration{
        registry,
        {"workqueue_work_duration_seconds", "How long the work on an item took.", {"name"}},
        work_buckets()};
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {
    // What has fixed labels starts at 0: an alert on its increase then sees the first one too.
    families_->rotation_latency.at({});
    for (const char* field : fields)
        families_->drift.at({field});
}

Metrics::~Metrics() = default;

void Metrics::build_info(std::string_view version, std::string_view commit) {
    families_->build_info.at({version, commit}).Set(1);
}

void Metrics::on_scrape(std::function<Snapshot()> snapshot) {
    snapshot_ = std::move(snapshot);
}

void Metrics::reconciled(std::string_view kind, std::string_view result, Seconds duration) {
    families_->reconciles.at({kind, result}).Increment();
    families_->reconcile_duration.at({kind}).Observe(duration.count());
}

void Metrics::drift_detected(std::string_view field) {
    families_->drift.at({field}).Increment();
}

void Metrics::push(std::string_view instance, std::string_view field, std::string_view result) {
    families_->pushes.at({instance, field, result}).Increment();
}

void Metrics::rotation_latency(Seconds latency) {
    families_->rotation_latency.at({}).Observe(latency.count());
}

void Metrics::omni_request(std::string_view instance, std::string_view method, int code,
                           Seconds duration) {
    families_->omni_requests.at({instance, method, code_label(code)}).Increment();
    families_->omni_request_duration.at({instance, method}).Observe(duration.count());
}

void Metrics::rate_limited(std::string_view instance) {
    families_->rate_limited.at({instance}).Increment();
}

void Metrics::rate_limit_wait(std::string_view instance, Seconds duration) {
    families_->rate_limit_wait.at({instance}).Observe(duration.count());
}

void Metrics::add_instance(std::string_view instance) {
    families_->rate_limited.at({instance});
    for (const char* field : fields)
        for (const char* result : results)
            families_->pushes.at({instance, field, result});
}

void Metrics::forget_instance(std::string_view instance) {
    families_->pushes.forget(instance);
    families_->omni_requests.forget(instance);
    families_->omni_request_duration.forget(instance);
    families_->rate_limited.forget(instance);
    families_->rate_limit_wait.forget(instance);
}

void Metrics::kube_request(int code, std::string_view method, std::string_view host,
                           Seconds duration) {
    families_->kube_requests.at({code_label(code), method, host}).Increment();
    families_->kube_request_duration.at({method, host}).Observe(duration.count());
}

void Metrics::leader(std::string_view name, bool leading) {
    families_->leader.at({name}).Set(leading ? 1 : 0);
}

void Metrics::work_added(std::string_view name) {
    families_->work_added.at({name}).Increment();
    families_->work_retried.at({name}); // starts at 0
}

void Metrics::work_started(std::string_view name, Seconds queued) {
    families_->work_queued.at({name}).Observe(queued.count());
}

void Metrics::work_done(std::string_view name, Seconds duration) {
    families_->work_duration.at({name}).Observe(duration.count());
}

void Metrics::work_retried(std::string_view name) {
    families_->work_retried.at({name}).Increment();
}

std::string Metrics::scrape() const {
    const std::optional<Snapshot> snapshot =
        snapshot_ ? std::optional(snapshot_()) : std::nullopt; // may set gauges
    std::ostringstream kept;
    prometheus::TextSerializer().Serialize(kept, families_->registry.Collect());
    std::string page = std::move(kept).str();
    ExpositionWriter writer(page);
    if (snapshot)
        write_snapshot(writer, *snapshot);
    write_process_usage(writer, read_process_usage());
    return page;
}

} // namespace oco::ops
