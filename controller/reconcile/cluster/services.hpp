// What the reconcilers use: the flags, whether this process may send, and the clients.
#pragma once

#include "base/mutation.hpp"
#include "kube/events.hpp"
#include "kube/lease.hpp"
#include "kube/secret_reader.hpp"
#include "omni/client.hpp"
#include "ops/metrics.hpp"
#include "reconcile/cluster/allowed_hosts.hpp"
#include "reconcile/cluster/digest_key.hpp"
#include "reconcile/cluster/status_sink.hpp"

#include <string>
#include <vector>

namespace oco::reconcile {

struct Settings {
    AllowedHosts allowed_hosts;
    bool allow_http = false;
    // Reports what would be sent, and changes nothing in Omni or Kubernetes, except for Events.
    bool dry_run = false;
    std::vector<std::string> namespaces; // watched; empty: all
    std::string operator_namespace;
    std::string user_agent;
    net::ProxyPolicy proxies; // for connections to Omni
};

// Whether this process may send.
struct Leadership {
    // Null: always.
    const kube::LeaderElector* elector = nullptr;
    // Another process may have sent something that no status records.
    kube::Takeover takeover = kube::Takeover::none;
    std::string unsettled; // of Takeover::unsettled: as Targets::unsettled() said it
    // The API server has gone back in time since this process led before: no status says what is in
    // Omni now.
    bool rewound = false;

    // Whether the statuses record all that was sent before.
    [[nodiscard]] bool all_is_recorded() const {
        return takeover == kube::Takeover::clean || takeover == kube::Takeover::unsettled ||
               mutated("unclean-counts-as-clean");
    }

    [[nodiscard]] bool may_send() const {
        return elector == nullptr || elector->may_work_for(omni::request_deadline);
    }
};

// What the reconcilers share in addition to the Caches.
struct Services {
    rt::Runtime& runtime;
    kube::Client& kube;
    kube::SecretReader& secrets;
    kube::EventRecorder& events;
    ops::Metrics& metrics;
    const Settings& settings;
    const DigestKey& digest_key;
    const Leadership& leadership;
    StatusSink& statuses;
};

} // namespace oco::reconcile
