// What the reconcilers read: the watched objects, and the indexes over them. Kept current by the
// Controller's listeners.
#pragma once

#include "api/omni_connection.hpp"
#include "base/mutation.hpp"
#include "kube/events.hpp"
#include "kube/lease.hpp"
#include "kube/secret.hpp"
#include "kube/store.hpp"
#include "omni/client.hpp"
#include "ops/metrics.hpp"
#include "reconcile/claims.hpp"
#include "reconcile/digest_key.hpp"
#include "reconcile/hosts.hpp"
#include "reconcile/index.hpp"

#include <boost/asio/thread_pool.hpp>

namespace oco::reconcile {

struct NamespaceMeta {
    kube::ObjectMeta meta;
    std::map<std::string, std::string> labels;

    static NamespaceMeta decode(const json::Value& object);
};

struct Settings {
    AllowedHosts allowed_hosts;
    bool allow_http = false;
    // Tells what would be sent, and leaves Omni and Kubernetes as they are, but for Events.
    bool dry_run = false;
    std::vector<std::string> namespaces; // watched; empty: all
    std::string operator_namespace;
    std::string user_agent;
    rt::ProxyPolicy proxies; // the way to Omni
};

struct World {
    explicit World(kube::Store<api::OmniConnection>::Listener on_connection,
                   kube::Store<api::OmniInstance>::Listener on_instance,
                   kube::Store<kube::SecretMeta>::Listener on_secret,
                   kube::Store<NamespaceMeta>::Listener on_namespace)
        : connections(std::move(on_connection)), instances(std::move(on_instance)),
          secrets(std::move(on_secret)), namespaces(std::move(on_namespace)) {}

    kube::Store<api::OmniConnection> connections;
    kube::Store<api::OmniInstance> instances;
    kube::Store<kube::SecretMeta> secrets; // those that an object names
    kube::Store<NamespaceMeta> namespaces; // watched once an OmniInstance selects by label

    const kube::Watcher* namespace_watcher = nullptr; // null until then

    Index connections_by_secret;   // users: OmniConnections
    Index instances_by_secret;     // users: OmniInstances
    Index connections_by_instance; // users: OmniConnections
    Claims claims;

    [[nodiscard]] bool watches(std::string_view ns, const Settings& settings) const {
        return settings.namespaces.empty() ||
               std::ranges::find(settings.namespaces, ns) != settings.namespaces.end();
    }
};

// Whether an object of `ns` may use the instance (spec.allowedNamespaces).
bool namespace_allowed(const World& world, const api::OmniInstance& instance,
                       const std::string& ns);

// Whether this process may send.
struct Leadership {
    // Null: always.
    const kube::LeaderElector* elector = nullptr;
    // Another process may have sent what no status tells of.
    kube::Takeover takeover = kube::Takeover::unclean;

    // Whether the statuses tell of all that was sent before.
    [[nodiscard]] bool all_is_recorded() const {
        return takeover == kube::Takeover::clean || mutated("unclean-counts-as-clean");
    }

    [[nodiscard]] bool may_send() const {
        return elector == nullptr || elector->may_work_for(omni::request_deadline);
    }
};

// What the reconcilers share beside the World.
struct Services {
    rt::Runtime& runtime;
    kube::Client& kube;
    kube::EventRecorder& events;
    ops::Metrics& metrics;
    boost::asio::thread_pool& offload; // for key derivation, which takes too long for the loop
    const Settings& settings;
    const DigestKey& digest_key;
    const Leadership& leadership;
};

} // namespace oco::reconcile
