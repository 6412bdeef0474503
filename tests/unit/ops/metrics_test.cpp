#include "ops/metrics.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

using namespace oco;
using namespace std::chrono_literals;

namespace {

bool has_line(const std::string& page, const std::string& line) {
    return ("\n" + page).find("\n" + line + "\n") != std::string::npos;
}

std::vector<std::string> lines_with(const std::string& page, std::string_view part) {
    std::vector<std::string> found;
    for (std::size_t begin = 0; begin < page.size();) {
        const auto end = page.find('\n', begin);
        const auto line = page.substr(begin, end - begin);
        if (line.find(part) != std::string::npos)
            found.push_back(line);
        begin = end == std::string::npos ? page.size() : end + 1;
    }
    return found;
}

// Every metric once.
void report_all(ops::Metrics& metrics) {
    metrics.build_info("0.1.0", "abc1234");
    metrics.reconciled("OmniConnection", "success", 20ms);
    metrics.drift_detected("base_role");
    metrics.push("team-a/omni", "credential", "success");
    metrics.rotation_latency(250ms);
    metrics.omni_request("team-a/omni", "PATCH", 200, 300ms);
    metrics.omni_request("team-a/omni", "GET", 0, 10s);
    metrics.rate_limited("team-a/omni");
    metrics.rate_limit_wait("team-a/omni", 0s);
    metrics.kube_request(200, "GET", "10.0.0.1:443", 4ms);
    metrics.leader("omni-connection-operator", true);
    metrics.work_added("omniconnection");
    metrics.work_started("omniconnection", 1ms);
    metrics.work_done("omniconnection", 20ms);
    metrics.work_retried("omniconnection");
    metrics.on_scrape([] {
        return ops::Snapshot{.connections = {{"True", "Synced", 9'999}, {"False", "Rejected", 1}},
                             .last_pushes = {{"team-a/warehouse", WallTime(1'764'015'891'250ms)}},
                             .credential_pushes = {{"team-a/warehouse", WallTime(1'764'015'890s)}},
                             .instances = {{"team-a/omni", 59, ops::Breaker::closed, 0s},
                                           {"team-b/omni", 0, ops::Breaker::open, 90'500ms}},
                             .watches = {{"secrets", WallTime(1'764'015'891s)}},
                             .namespaces = {{"team-a", true}, {"team-b", false}},
                             .queues = {{"omniconnection", 3}}};
    });
}

} // namespace

TEST_CASE("metrics: a scrape has every metric, of its type and with its labels") {
    ops::Metrics metrics;
    report_all(metrics);
    const std::string page = metrics.scrape();
    for (
        const std::string line : {
            R"(# TYPE omni_connection_operator_build_info gauge)",
            R"(omni_connection_operator_build_info{commit="abc1234",version="0.1.0"} 1)",
            R"(# TYPE omni_reconcile_total counter)",
            R"(omni_reconcile_total{kind="OmniConnection",result="success"} 1)",
            R"(# TYPE omni_reconcile_duration_seconds histogram)",
            R"(omni_reconcile_duration_seconds_bucket{kind="OmniConnection",le="0.01"} 0)",
            R"(omni_reconcile_duration_seconds_bucket{kind="OmniConnection",le="0.025"} 1)",
            R"(# TYPE omni_drift_detected_total counter)",
            R"(omni_drift_detected_total{field="base_role"} 1)",
            R"(omni_drift_detected_total{field="credential"} 0)",
            R"(# TYPE omni_pushes_total counter)",
            R"(omni_pushes_total{field="credential",omni_instance="team-a/omni",result="success"} 1)",
            R"(# TYPE omni_rotation_latency_seconds histogram)",
            R"(omni_rotation_latency_seconds_bucket{le="0.005"} 0)",
            R"(omni_rotation_latency_seconds_bucket{le="0.5"} 1)",
            R"(omni_rotation_latency_seconds_bucket{le="3600"} 1)",
            R"(omni_rotation_latency_seconds_sum 0.25)",
            R"(# TYPE omni_api_requests_total counter)",
            R"(omni_api_requests_total{code="200",method="PATCH",omni_instance="team-a/omni"} 1)",
            R"(omni_api_requests_total{code="<error>",method="GET",omni_instance="team-a/omni"} 1)",
            R"(# TYPE omni_api_request_duration_seconds histogram)",
            R"(omni_api_request_duration_seconds_count{method="PATCH",omni_instance="team-a/omni"} 1)",
            R"(# TYPE omni_rate_limited_total counter)",
            R"(omni_rate_limited_total{omni_instance="team-a/omni"} 1)",
            R"(# TYPE omni_rate_limit_wait_seconds histogram)",
            R"(omni_rate_limit_wait_seconds_count{omni_instance="team-a/omni"} 1)",
            R"(# TYPE rest_client_requests_total counter)",
            R"(rest_client_requests_total{code="200",host="10.0.0.1:443",method="GET"} 1)",
            R"(# TYPE rest_client_request_duration_seconds histogram)",
            R"(rest_client_request_duration_seconds_count{host="10.0.0.1:443",verb="GET"} 1)",
            R"(# TYPE omni_watch_last_activity_timestamp_seconds gauge)",
            R"(omni_watch_last_activity_timestamp_seconds{resource="secrets"} 1764015891)",
            R"(# TYPE omni_namespace_synced gauge)",
            R"(omni_namespace_synced{watched_namespace="team-a"} 1)",
            R"(omni_namespace_synced{watched_namespace="team-b"} 0)",
            R"(# TYPE leader_election_master_status gauge)",
            R"(leader_election_master_status{name="omni-connection-operator"} 1)",
            R"(# TYPE workqueue_adds_total counter)",
            R"(workqueue_adds_total{name="omniconnection"} 1)",
            R"(# TYPE workqueue_retries_total counter)",
            R"(workqueue_retries_total{name="omniconnection"} 1)",
            R"(# TYPE workqueue_queue_duration_seconds histogram)",
            R"(workqueue_queue_duration_seconds_count{name="omniconnection"} 1)",
            R"(# TYPE workqueue_work_duration_seconds histogram)",
            R"(workqueue_work_duration_seconds_count{name="omniconnection"} 1)",
            R"(# TYPE workqueue_depth gauge)",
            R"(workqueue_depth{name="omniconnection"} 3)",
            R"(# TYPE omni_connections gauge)",
            R"(omni_connections{ready="True",reason="Synced"} 9999)",
            R"(omni_connections{ready="False",reason="Rejected"} 1)",
            R"(# TYPE omni_connection_last_push_timestamp_seconds gauge)",
            R"(omni_connection_last_push_timestamp_seconds{omni_connection="team-a/warehouse"} 1764015891.25)",
            R"(# TYPE omni_connection_credential_push_timestamp_seconds gauge)",
            R"(omni_connection_credential_push_timestamp_seconds{omni_connection="team-a/warehouse"} 1764015890)",
            R"(# TYPE omni_rate_limit_remaining gauge)",
            R"(omni_rate_limit_remaining{omni_instance="team-a/omni"} 59)",
            R"(# TYPE omni_circuit_breaker_open gauge)",
            R"(omni_circuit_breaker_open{omni_instance="team-a/omni"} 0)",
            R"(omni_circuit_breaker_open{omni_instance="team-b/omni"} 1)",
            R"(# TYPE omni_oldest_pending_seconds gauge)",
            R"(omni_oldest_pending_seconds{omni_instance="team-b/omni"} 90.5)",
            R"(# TYPE process_cpu_seconds_total counter)",
            R"(# TYPE process_resident_memory_bytes gauge)",
            R"(# TYPE process_virtual_memory_bytes gauge)",
            R"(# TYPE process_start_time_seconds gauge)",
            R"(# TYPE process_open_fds gauge)",
            R"(# TYPE process_max_fds gauge)",
        }) {
        CAPTURE(line);
        CHECK(has_line(page, line));
    }
}

TEST_CASE("metrics: each family is described once, and no series comes twice") {
    ops::Metrics metrics;
    report_all(metrics);
    report_all(metrics);
    const std::string page = metrics.scrape();
    std::set<std::string> seen;
    for (const std::string& line : lines_with(page, "")) {
        CAPTURE(line);
        const auto name_end = line.starts_with("# ") ? line.size() : line.rfind(' ');
        CHECK(seen.insert(line.substr(0, name_end)).second);
    }
    CHECK(lines_with(page, "# TYPE ").size() == lines_with(page, "# HELP ").size());
    CHECK(page.back() == '\n');
}

TEST_CASE("metrics: what never happened starts at 0 where its labels are known") {
    ops::Metrics metrics;
    metrics.add_instance("team-a/omni");
    const std::string page = metrics.scrape();
    CHECK(has_line(page, "omni_rotation_latency_seconds_count 0"));
    CHECK(lines_with(page, "omni_drift_detected_total{").size() == 3);
    CHECK(lines_with(page, "omni_pushes_total{").size() == 18);
    CHECK(has_line(page, R"(omni_rate_limited_total{omni_instance="team-a/omni"} 0)"));
    CHECK(lines_with(page, "omni_connections").empty()); // no snapshot: nothing is claimed

    metrics.push("team-a/omni", "base_role", "rejected");
    metrics.add_instance("team-a/omni"); // known: keeps what was counted
    CHECK(has_line(
        metrics.scrape(),
        R"(omni_pushes_total{field="base_role",omni_instance="team-a/omni",result="rejected"} 1)"));
}

TEST_CASE("metrics: a forgotten instance leaves no series, its neighbours keep theirs") {
    ops::Metrics metrics;
    for (const char* instance : {"team-a/omni", "team-a/omni-2", "team-a/omn"}) {
        metrics.add_instance(instance);
        metrics.omni_request(instance, "PATCH", 200, 1s);
        metrics.omni_request(instance, "PATCH", 429, 1s);
        metrics.rate_limited(instance);
        metrics.rate_limit_wait(instance, 1s);
    }
    const auto series_of = [&metrics](const std::string& instance) {
        return lines_with(metrics.scrape(), "omni_instance=\"" + instance + "\"").size();
    };
    const auto all = series_of("team-a/omni-2");
    REQUIRE(all > 20);

    metrics.forget_instance("team-a/omni");
    metrics.forget_instance("never/seen");
    CHECK(series_of("team-a/omni") == 0);
    CHECK(series_of("team-a/omni-2") == all);
    CHECK(series_of("team-a/omn") == all);

    metrics.rate_limited("team-a/omni"); // made again: from 0
    CHECK(has_line(metrics.scrape(), R"(omni_rate_limited_total{omni_instance="team-a/omni"} 1)"));
}

TEST_CASE("metrics: gauges hold the last value") {
    ops::Metrics metrics;
    metrics.leader("lease", true);
    metrics.leader("lease", false);
    const std::string page = metrics.scrape();
    CHECK(has_line(page, R"(leader_election_master_status{name="lease"} 0)"));
}

TEST_CASE("exposition: numbers and escapes") {
    std::string page;
    ops::ExpositionWriter writer(page);
    writer.begin_gauge("g", "Help.");
    writer.sample({{"l", "a\"b\\c\nd"}}, 0.1);
    writer.sample({}, std::numeric_limits<double>::infinity());
    writer.sample({}, -std::numeric_limits<double>::infinity());
    writer.sample({}, std::nan(""));
    CHECK(page == "# HELP g Help.\n# TYPE g gauge\n"
                  "g{l=\"a\\\"b\\\\c\\nd\"} 0.1\n"
                  "g +Inf\ng -Inf\ng NaN\n");
}
