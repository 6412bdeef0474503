#include "base/base64.hpp"
#include "base/time.hpp"
#include "sim/kube_rules.hpp"
#include "world.hpp"

#include <algorithm>

namespace oco::scenarios {

using sim::text_at;

bj::object all_namespaces() {
    return {{"from", "All"}};
}

bj::object same_namespace() {
    return {{"from", "Same"}};
}

bj::object namespaces_of_team(const std::string& team) {
    return {{"from", "Selector"},
            {"selector", bj::object{{"matchLabels", bj::object{{"team", team}}}}}};
}

Tenant::Tenant(World& world, std::string ns) : world_(world), ns_(std::move(ns)) {}

// --- what they do ------------------------------------------------------------------------------

void Tenant::applies_instance(const InstanceSpec& spec) {
    const std::string key = spec.key.empty() ? this->key() : spec.key;
    if (!spec.keyless) {
        (spec.host == omni_host ? world_.omni : world_.other_omni).accepts(key);
        changes_key(key, spec.key_secret);
    }
    bj::object wanted{
        {"baseURL", "http://" + spec.host}, // TLS is not simulated
        {"apiTokenSecretRef", bj::object{{"name", spec.key_secret}, {"key", "token"}}},
        {"rateLimit", bj::object{{"requestsPerMinute", spec.limit}}},
        {"allowedNamespaces", spec.allows},
        {"suspend", spec.suspended}};
    if (!spec.connections.empty())
        wanted["allowedConnections"] = spec.connections;
    world_.touched();
    world_.kube.apply("omniinstances", ns_, spec.name, {{"spec", std::move(wanted)}});
}

void Tenant::changes_instance(const bj::object& spec, const std::string& name) {
    world_.touched();
    world_.kube.merge("omniinstances", ns_, name, {{"spec", spec}});
}

void Tenant::deletes_instance(const std::string& name) {
    world_.say(ns_ + " deletes OmniInstance " + name);
    world_.touched();
    world_.kube.remove("omniinstances", ns_, name);
}

void Tenant::changes_key(const std::string& key, const std::string& secret) {
    world_.touched();
    world_.kube.apply("secrets", ns_, secret,
                      {{"data", bj::object{{"token", base64::encode(confidential(key))}}}});
}

void Tenant::writes(const std::string& secret, const std::string& value, const std::string& key) {
    world_.say(ns_ + " writes " + value + " into " + secret);
    world_.touched();
    const bj::object data{{key, base64::encode(confidential(value))}};
    if (!world_.kube.merge("secrets", ns_, secret, {{"data", data}}))
        world_.kube.apply("secrets", ns_, secret, {{"data", data}});
}

void Tenant::rotates(const std::string& secret, const std::string& value,
                     const std::string& rotation_id) {
    world_.say(ns_ + " writes " + value + " into " + secret + ", rotation " + rotation_id);
    world_.touched();
    world_.kube.apply(
        "secrets", ns_, secret,
        {{"metadata",
          bj::object{{"annotations", bj::object{{"omniconnection.io/rotation-id", rotation_id}}}}},
         {"data", bj::object{{"password", base64::encode(confidential(value))}}}});
}

void Tenant::deletes_secret(const std::string& secret) {
    world_.touched();
    world_.kube.remove("secrets", ns_, secret);
}

void Tenant::applies(const ConnectionSpec& spec) {
    bj::object reference{{"name", spec.instance}};
    if (!spec.instance_of.empty())
        reference["namespace"] = spec.instance_of;
    bj::object wanted{{"instanceRef", std::move(reference)},
                      {"driftCheckInterval", spec.drift_check_interval},
                      {"suspend", spec.suspended}};
    if (spec.by_name.empty())
        wanted["connectionID"] = spec.id;
    else
        wanted["connectionName"] = spec.by_name;
    if (!spec.secret.empty()) {
        wanted = bj::object(wanted);
        sim::merge_into(wanted, credential_from(spec.secret));
        sim::child(wanted, "credentials")["repushInterval"] = spec.repush_interval;
    }
    if (!spec.role.empty())
        wanted["baseRole"] = spec.role;
    world_.touched();
    world_.kube.apply("omniconnections", ns_, spec.name, {{"spec", std::move(wanted)}});
}

bj::object Tenant::credential_from(const std::string& secret, const std::string& key,
                                   const std::string& kind) {
    bj::object credentials{
        {kind, bj::object{{"secretRef", bj::object{{"name", secret}, {"key", key}}}}}};
    for (const char* other : {"password", "bigQueryServiceAccount", "snowflakePrivateKey"})
        if (kind != other)
            credentials[other] = nullptr;
    return {{"credentials", std::move(credentials)}};
}

void Tenant::changes(const std::string& connection, const bj::object& spec) {
    world_.touched();
    world_.kube.merge("omniconnections", ns_, connection, {{"spec", spec}});
}

void Tenant::deletes(const std::string& connection) {
    world_.say(ns_ + " deletes " + connection);
    world_.touched();
    world_.kube.remove("omniconnections", ns_, connection);
}

void Tenant::terminates(const std::string& connection) {
    world_.say(ns_ + " deletes " + connection + ", which a finalizer keeps");
    world_.touched();
    world_.kube.merge(
        "omniconnections", ns_, connection,
        {{"metadata", bj::object{{"deletionTimestamp", format_rfc3339(world_.time_.wall_now())},
                                 {"finalizers", bj::array{"example.com/keep"}}}}});
}

void Tenant::annotates(const std::string& connection, const std::string& name,
                       const std::string& value) {
    world_.touched();
    world_.kube.merge("omniconnections", ns_, connection,
                      {{"metadata", bj::object{{"annotations", bj::object{{name, value}}}}}});
}

void Tenant::joins(const std::string& team) {
    world_.touched();
    world_.kube.apply("namespaces", "", ns_,
                      {{"metadata", bj::object{{"labels", bj::object{{"team", team}}}}}});
}

// --- what they see -----------------------------------------------------------------------------

const bj::object& Tenant::object(const std::string& connection) const {
    static const bj::object none;
    const auto* found = world_.kube.find("omniconnections", ns_, connection);
    return found == nullptr ? none : *found;
}

std::string Tenant::reason(const std::string& connection) const {
    const auto* found = sim::condition(object(connection), "Ready");
    return found == nullptr ? "" : text_at(*found, {"reason"});
}

std::string Tenant::ready(const std::string& connection) const {
    const auto* found = sim::condition(object(connection), "Ready");
    return found == nullptr ? "" : text_at(*found, {"status"});
}

std::string Tenant::message(const std::string& connection) const {
    const auto* found = sim::condition(object(connection), "Ready");
    return found == nullptr ? "" : text_at(*found, {"message"});
}

std::string Tenant::instance_reason(const std::string& name) const {
    const auto* instance = world_.kube.find("omniinstances", ns_, name);
    const auto* found = instance == nullptr ? nullptr : sim::condition(*instance, "Ready");
    return found == nullptr ? "" : text_at(*found, {"reason"});
}

std::string Tenant::vouched(const std::string& connection) const {
    return world_.promises_.vouched(object(connection));
}

const bj::object& Tenant::status(const std::string& connection) const {
    static const bj::object none;
    const auto* found = object(connection).if_contains("status");
    return found == nullptr ? none : found->as_object();
}

std::string Tenant::status_text(const std::string& connection,
                                std::initializer_list<std::string_view> path) const {
    return text_at(status(connection), path);
}

bool Tenant::observed(const std::string& connection) const {
    const auto& found = object(connection);
    return !found.empty() &&
           found.at("status").at("observedGeneration") == found.at("metadata").at("generation");
}

bool Tenant::sees(const std::string& connection, const std::string& wanted, rt::Duration within) {
    return world_.happens([&] { return observed(connection) && reason(connection) == wanted; },
                          within);
}

bool Tenant::in_step(const std::string& connection, rt::Duration within) {
    return world_.happens(
        [&] {
            if (!observed(connection) || reason(connection) != "Synced")
                return false;
            const auto* newest =
                world_.kube.find("secrets", ns_, Promises::secret_in_spec(object(connection)));
            return newest == nullptr ||
                   status_text(connection, {"applied", "credential", "secretResourceVersion"}) ==
                       text_at(*newest, {"metadata", "resourceVersion"});
        },
        within);
}

} // namespace oco::scenarios
