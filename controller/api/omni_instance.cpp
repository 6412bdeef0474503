#include "api/omni_instance.hpp"

#include <algorithm>

namespace oco::api {
namespace {

SecretKeyRef decode_ref(const json::Value& ref, std::string_view default_key) {
    const auto key = json::string_at(ref, "key");
    return {.name = std::string(json::string_at(ref, "name")),
            .key = std::string(key.empty() ? default_key : key)};
}

std::vector<std::string> strings_of(const json::Value* list) {
    std::vector<std::string> out;
    if (list != nullptr && list->IsArray())
        for (const auto& item : list->GetArray())
            out.emplace_back(json::text_of(item));
    return out;
}

LabelSelector decode_selector(const json::Value& selector) {
    LabelSelector out;
    if (const auto* labels = json::find(selector, "matchLabels"); labels && labels->IsObject())
        for (const auto& label : labels->GetObject())
            out.requirements.push_back({.key = std::string(json::text_of(label.name)),
                                        .op = "In",
                                        .values = {std::string(json::text_of(label.value))}});
    if (const auto* list = json::find(selector, "matchExpressions"); list && list->IsArray())
        for (const auto& item : list->GetArray())
            out.requirements.push_back({.key = std::string(json::string_at(item, "key")),
                                        .op = std::string(json::string_at(item, "operator")),
                                        .values = strings_of(json::find(item, "values"))});
    return out;
}

bool satisfied(const LabelRequirement& requirement,
               const std::map<std::string, std::string>& labels) {
    const auto label = labels.find(requirement.key);
    const bool present = label != labels.end();
    if (requirement.op == "Exists")
        return present;
    if (requirement.op == "DoesNotExist")
        return !present;
    const bool listed =
        present && std::ranges::find(requirement.values, label->second) != requirement.values.end();
    return requirement.op == "In" ? listed : requirement.op == "NotIn" && !listed;
}

} // namespace

bool LabelSelector::matches(const std::map<std::string, std::string>& labels) const {
    return std::ranges::all_of(requirements, [&](const auto& r) { return satisfied(r, labels); });
}

OmniInstance OmniInstance::decode(const json::Value& object) {
    OmniInstance out;
    out.meta = kube::decode_meta(object);
    if (const auto* spec = json::find(object, "spec")) {
        out.base_url = json::string_at(*spec, "baseURL");
        if (const auto* ref = json::find(*spec, "apiTokenSecretRef"))
            out.api_token = decode_ref(*ref, "token");
        if (const auto* ref = json::find(*spec, "caBundleSecretRef"))
            out.ca_bundle = decode_ref(*ref, "ca.crt");
        if (const auto* rate = json::find(*spec, "rateLimit"))
            out.requests_per_minute = json::int_at(*rate, "requestsPerMinute").value_or(60);
        if (const auto from = json::string_at(*spec, {"allowedNamespaces", "from"}); !from.empty())
            out.allowed_from = from;
        if (const auto* selector = json::find(*spec, {"allowedNamespaces", "selector"}))
            out.allowed_selector = decode_selector(*selector);
        if (const auto* list = json::find(*spec, "allowedConnections")) {
            const auto ids = strings_of(list);
            out.allowed_connections.emplace(ids.begin(), ids.end());
        }
        out.suspend = json::bool_at(*spec, "suspend").value_or(false);
    }
    if (const auto* status = json::find(object, "status")) {
        out.status.observed_generation = json::int_at(*status, "observedGeneration").value_or(-1);
        out.status.conditions = kube::decode_conditions(*status);
        out.status.connections = json::int_at(*status, "connections").value_or(0);
    }
    return out;
}

OmniInstance::Status OmniInstance::complete_status() {
    return {.observed_generation = 1, .conditions = {kube::complete_condition()}, .connections = 1};
}

void encode(json::Writer& writer, const OmniInstance::Status& status) {
    writer.begin_object();
    writer.member("observedGeneration", status.observed_generation);
    kube::encode_conditions(writer, status.conditions);
    writer.member("connections", status.connections);
    writer.end_object();
}

} // namespace oco::api
