#include "ops/snapshot.hpp"

namespace oco::ops {
namespace {

void write_pushes(ExpositionWriter& writer, const std::vector<Snapshot::Push>& pushes,
                  std::string_view name, std::string_view help) {
    if (!pushes.empty())
        writer.begin_gauge(name, help);
    for (const auto& entry : pushes)
        writer.sample({{"omni_connection", entry.connection}}, unix_seconds(entry.time));
}

void write_connections(ExpositionWriter& writer, const Snapshot& snapshot) {
    if (!snapshot.connections.empty())
        writer.begin_gauge("omni_connections",
                           "OmniConnections, by status and reason of the condition Ready.");
    for (const auto& entry : snapshot.connections)
        writer.sample({{"ready", entry.ready}, {"reason", entry.reason}},
                      static_cast<double>(entry.count));
    write_pushes(writer, snapshot.last_pushes, "omni_connection_last_push_timestamp_seconds",
                 "When something was last pushed to an OmniConnection, in Unix time.");
    write_pushes(writer, snapshot.credential_pushes,
                 "omni_connection_credential_push_timestamp_seconds",
                 "When the credential that Omni holds was last pushed, in Unix time.");
}

void write_instances(ExpositionWriter& writer, const std::vector<Snapshot::Instance>& instances) {
    if (instances.empty())
        return;
    writer.begin_gauge("omni_rate_limit_remaining",
                       "Requests that may be sent to Omni now without exceeding its rate limit.");
    for (const auto& entry : instances)
        writer.sample({{"omni_instance", entry.instance}},
                      static_cast<double>(entry.rate_limit_remaining));
    writer.begin_gauge("omni_circuit_breaker_open",
                       "1 while requests to Omni are held back after failures, else 0.");
    for (const auto& entry : instances)
        writer.sample({{"omni_instance", entry.instance}}, entry.breaker == Breaker::open ? 1 : 0);
    writer.begin_gauge("omni_oldest_pending_seconds",
                       "How long the oldest change that Omni has not accepted has been waiting; "
                       "0 if there is none.");
    for (const auto& entry : instances)
        writer.sample({{"omni_instance", entry.instance}}, entry.oldest_pending.count());
}

} // namespace

void write_snapshot(ExpositionWriter& writer, const Snapshot& snapshot) {
    write_connections(writer, snapshot);
    write_instances(writer, snapshot.instances);
    if (!snapshot.watches.empty())
        writer.begin_gauge("omni_watch_last_activity_timestamp_seconds",
                           "When the API server last sent something on a watch, in Unix time; of "
                           "several watches of a resource, the one that has been silent longest.");
    for (const auto& entry : snapshot.watches)
        writer.sample({{"resource", entry.resource}}, unix_seconds(entry.last_activity));
    if (!snapshot.namespaces.empty())
        writer.begin_gauge("omni_namespace_synced",
                           "1 while the objects and Secrets of a namespace of --namespace are "
                           "known and kept up to date, else 0.");
    for (const auto& entry : snapshot.namespaces)
        writer.sample({{"watched_namespace", entry.name}}, entry.up_to_date ? 1 : 0);
    if (!snapshot.queues.empty())
        writer.begin_gauge("workqueue_depth", "Items waiting in the work queue.");
    for (const auto& entry : snapshot.queues)
        writer.sample({{"name", entry.name}}, static_cast<double>(entry.depth));
}

} // namespace oco::ops
