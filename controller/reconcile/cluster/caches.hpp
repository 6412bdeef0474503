// What the reconcilers read: the watched objects, and the indexes over them. Kept current by the
// Controller's listeners.
#pragma once

#include "api/omni_connection.hpp"
#include "kube/secret.hpp"
#include "kube/store.hpp"
#include "reconcile/cluster/index.hpp"
#include "reconcile/cluster/services.hpp"

namespace oco::reconcile {

struct NamespaceMeta {
    kube::ObjectMeta meta;
    std::map<std::string, std::string> labels;

    static NamespaceMeta decode(const json::Value& object);
};

// Why the objects and Secrets of a namespace are not known, or not up to date.
struct Unread {
    std::string why;
    bool refused = false; // for want of a right: it does not heal by itself

    bool operator==(const Unread&) const = default;
};

struct Caches {
    explicit Caches(kube::Store<api::OmniConnection>::Listener on_connection,
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

    // By namespace; all of them under "" where none is named with --namespace. Nothing is sent for
    // objects there, nor for those that use an OmniInstance there.
    std::map<std::string, Unread> unread;

    // Null: it is up to date.
    [[nodiscard]] const Unread* unread_in(const std::string& ns) const {
        auto it = unread.find(ns);
        if (it == unread.end())
            it = unread.find("");
        return it == unread.end() ? nullptr : &it->second;
    }

    Index connections_by_secret;   // users: OmniConnections
    Index instances_by_secret;     // users: OmniInstances
    Index connections_by_instance; // users: OmniConnections

    [[nodiscard]] bool watches(std::string_view ns, const Settings& settings) const {
        return settings.namespaces.empty() ||
               std::ranges::find(settings.namespaces, ns) != settings.namespaces.end();
    }
};

// Whether an object of `ns` may use the instance (spec.allowedNamespaces).
enum class Allowance {
    yes,
    no,
    unknown, // it goes by labels, and namespaces could not be listed yet
};
Allowance allowance(const Caches& caches, const api::OmniInstance& instance, const std::string& ns);

} // namespace oco::reconcile
