#include "facts.hpp"

#include "base/base64.hpp"
#include "kube_rules.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace oco::sim {
namespace {

constexpr std::string_view url_scheme = "http://";

bool flag_at(const bj::object& object, std::string_view name) {
    const auto* found = object.if_contains(name);
    return found != nullptr && found->is_bool() && found->get_bool();
}

const bj::object& object_at(const bj::object& parent, std::string_view name) {
    static const bj::object none;
    const auto* found = parent.if_contains(name);
    return found != nullptr && found->is_object() ? found->get_object() : none;
}

std::set<std::string> strings_of(const bj::value& list) {
    std::set<std::string> out;
    for (const auto& one : list.as_array())
        out.insert(one.as_string().c_str());
    return out;
}

Name key_of(const bj::object& object) {
    return {text_at(object, {"metadata", "namespace"}), text_at(object, {"metadata", "name"})};
}

std::string decoded(const bj::object& secret, std::string_view name) {
    const auto bytes = base64::decode(text_at(secret, {"data", name}));
    return bytes ? std::string(bytes->expose()) : std::string();
}

std::int64_t number_at(const bj::object& object, std::string_view name, std::int64_t missing) {
    const auto* found = object.if_contains(name);
    return found != nullptr && found->is_int64() ? found->get_int64() : missing;
}

} // namespace

std::string shown(const Name& name) {
    return name.first + "/" + name.second;
}

std::string shown(const Target& target) {
    return target.id.substr(target.id.size() < 3 ? 0 : target.id.size() - 3) + " of " + target.host;
}

std::string_view name_of(Field field) {
    switch (field) {
    case Field::credential:
        return "credential";
    case Field::base_role:
        return "baseRole";
    case Field::attribute:
        return "environmentUserAttribute";
    }
    return {};
}

ObjectFacts object_facts(const bj::object& object) {
    const bj::object& meta = object_at(object, "metadata");
    const bj::object& spec = object_at(object, "spec");
    ObjectFacts out;
    out.key = key_of(object);
    out.uid = text_at(meta, {"uid"});
    out.created = text_at(meta, {"creationTimestamp"});
    out.generation = number_at(meta, "generation", 0);
    out.terminating = meta.contains("deletionTimestamp");
    out.suspended = flag_at(spec, "suspend");
    const std::string ns = text_at(spec, {"instanceRef", "namespace"});
    out.instance = {ns.empty() ? out.key.first : ns, text_at(spec, {"instanceRef", "name"})};
    out.connection_id = text_at(spec, {"connectionID"});
    out.connection_name = text_at(spec, {"connectionName"});
    out.secret = {out.key.first, text_at(spec, {"credentials", "password", "secretRef", "name"})};
    out.base_role = text_at(spec, {"baseRole"});
    out.manages = {spec.contains("credentials"), spec.contains("baseRole"),
                   spec.contains("environmentUserAttribute")};
    const bj::object& attribute = object_at(spec, "environmentUserAttribute");
    out.attribute_name = text_at(attribute, {"attributeName"});
    if (const auto* values = attribute.if_contains("defaultValues"))
        out.attribute_values = bj::serialize(*values);
    return out;
}

StatusFacts status_facts(const bj::object& object) {
    const bj::object& status = object_at(object, "status");
    const bj::object& applied = object_at(status, "applied");
    StatusFacts out;
    out.uid = text_at(object, {"metadata", "uid"});
    if (const auto* conditions = status.if_contains("conditions"); conditions != nullptr)
        for (const auto& one : conditions->as_array())
            if (text_at(one.as_object(), {"type"}) == "Ready") {
                out.reason = text_at(one.as_object(), {"reason"});
                out.ready = text_at(one.as_object(), {"status"}) == "True";
            }
    out.observed_generation = number_at(status, "observedGeneration", -1);
    out.connection_id = text_at(status, {"connectionID"});
    out.resolved_from = text_at(status, {"resolvedFrom"});
    out.dialect = text_at(status, {"dialect"});
    out.target = {text_at(applied, {"target", "host"}),
                  text_at(applied, {"target", "connectionID"})};
    out.target.host = out.target.host.substr(0, out.target.host.find(':'));
    out.applied = {applied.contains("credential"), applied.contains("baseRole"),
                   applied.contains("environmentUserAttribute")};
    const bj::object& credential = object_at(applied, "credential");
    out.secret_name = text_at(credential, {"secretName"});
    out.secret_uid = text_at(credential, {"secretUID"});
    out.secret_version = text_at(credential, {"secretResourceVersion"});
    out.rotation_id = text_at(credential, {"rotationID"});
    out.base_role = text_at(applied, {"baseRole", "value"});
    if (const auto* unanswered = status.if_contains("unanswered"); unanswered != nullptr)
        for (const auto& one : unanswered->as_array())
            out.unanswered = {out.unanswered[0] || one == "credential",
                              out.unanswered[1] || one == "baseRole",
                              out.unanswered[2] || one == "environmentUserAttribute"};
    return out;
}

InstanceFacts instance_facts(const bj::object& object) {
    const bj::object& spec = object_at(object, "spec");
    InstanceFacts out;
    out.key = key_of(object);
    out.uid = text_at(object, {"metadata", "uid"});
    std::string url = text_at(spec, {"baseURL"});
    url = url.substr(std::min(url_scheme.size(), url.size()));
    out.host = url.substr(0, url.find('/'));
    out.token_secret = {out.key.first, text_at(spec, {"apiTokenSecretRef", "name"})};
    out.limit = static_cast<int>(number_at(object_at(spec, "rateLimit"), "requestsPerMinute", 60));
    const bj::object& allowed = object_at(spec, "allowedNamespaces");
    const std::string from = text_at(allowed, {"from"});
    out.allowed_from = from == "All"        ? InstanceFacts::From::all
                       : from == "Selector" ? InstanceFacts::From::selector
                                            : InstanceFacts::From::same;
    if (const auto* expressions = object_at(allowed, "selector").if_contains("matchExpressions"))
        out.allowed_teams = strings_of(expressions->as_array().at(0).at("values"));
    if (const auto* ids = spec.if_contains("allowedConnections"))
        out.allowed_connections = strings_of(*ids);
    out.suspended = flag_at(spec, "suspend");
    return out;
}

NamespaceFacts namespace_facts(const bj::object& object) {
    return {.team = text_at(object, {"metadata", "labels", "team"})};
}

SecretFacts secret_facts(const bj::object& object) {
    const bj::object& meta = object_at(object, "metadata");
    return {.key = key_of(object),
            .uid = text_at(meta, {"uid"}),
            .version = text_at(meta, {"resourceVersion"}),
            .password = decoded(object, "password"),
            .token = decoded(object, "token"),
            .rotation_id =
                text_at(object_at(meta, "annotations"), {"omniconnection.io/rotation-id"})};
}

bool allows_namespace(const InstanceFacts& instance, const std::string& ns,
                      const NamespaceFacts* labels) {
    using From = InstanceFacts::From;
    if (ns == instance.key.first || instance.allowed_from == From::all)
        return true;
    return instance.allowed_from == From::selector && labels != nullptr &&
           instance.allowed_teams.contains(labels->team);
}

} // namespace oco::sim
