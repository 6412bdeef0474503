#include "kube/object.hpp"

#include "base/digest.hpp"
#include "base/number.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace oco::kube {
namespace {

constexpr std::array<std::string_view, 3> own_types{"Ready", "Reconciling", "Stalled"};

} // namespace

bool is_older_version(std::string_view version, std::string_view than) {
    const auto a = parse_number<std::uint64_t>(version);
    const auto b = parse_number<std::uint64_t>(than);
    return a && b && *a < *b;
}

ObjectMeta decode_meta(const json::Value& object) {
    ObjectMeta meta;
    const json::Value* source = json::find(object, "metadata");
    if (source == nullptr)
        return meta;
    meta.key.ns = json::string_at(*source, "namespace");
    meta.key.name = json::string_at(*source, "name");
    meta.uid = json::string_at(*source, "uid");
    meta.resource_version = json::string_at(*source, "resourceVersion");
    meta.generation = json::int_at(*source, "generation").value_or(0);
    meta.created =
        parse_rfc3339(json::string_at(*source, "creationTimestamp")).value_or(WallTime{});
    meta.deleting = !json::string_at(*source, "deletionTimestamp").empty();
    meta.has_status = json::find(object, "status") != nullptr;
    return meta;
}

std::string annotation(const json::Value& object, std::string_view name) {
    return bounded_token(json::string_at(object, {"metadata", "annotations", name}));
}

std::string bounded_token(std::string_view token) {
    return token.size() <= max_token_bytes ? std::string(token) : "sha256:" + fingerprint(token);
}

std::vector<Condition> decode_conditions(const json::Value& status) {
    std::vector<Condition> out;
    const json::Value* list = json::find(status, "conditions");
    if (list == nullptr || !list->IsArray())
        return out;
    for (const auto& item : list->GetArray())
        out.push_back(
            {.type = std::string(json::string_at(item, "type")),
             .status = std::string(json::string_at(item, "status")),
             .reason = std::string(json::string_at(item, "reason")),
             .message = std::string(json::string_at(item, "message")),
             .observed_generation = json::int_at(item, "observedGeneration").value_or(0),
             .last_transition_time = std::string(json::string_at(item, "lastTransitionTime"))});
    return out;
}

void encode_conditions(json::Writer& writer, const std::vector<Condition>& conditions) {
    writer.field("conditions").begin_array();
    for (const auto& c : conditions)
        writer.begin_object()
            .member("type", c.type)
            .member("status", c.status)
            .member("observedGeneration", c.observed_generation)
            .member("lastTransitionTime", c.last_transition_time)
            .member("reason", c.reason)
            .member("message", c.message)
            .end_object();
    writer.end_array();
}

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
    const auto it = std::ranges::find(conditions, type, &Condition::type);
    return it == conditions.end() ? nullptr : &*it;
}

Condition complete_condition() {
    return {.type = "Ready",
            .status = "True",
            .reason = "Synced",
            .message = "m",
            .observed_generation = 1,
            .last_transition_time = "2026-01-01T00:00:00Z"};
}

bool owns_condition(std::string_view type) {
    return std::ranges::find(own_types, type) != own_types.end();
}

void drop_foreign_conditions(std::vector<Condition>& conditions) {
    std::erase_if(conditions,
                  [](const auto& condition) { return !owns_condition(condition.type); });
}

void set_conditions(std::vector<Condition>& conditions, std::vector<Condition> wanted,
                    WallTime now) {
    for (auto& condition : wanted) {
        const Condition* old = find_condition(conditions, condition.type);
        condition.last_transition_time = old != nullptr && old->status == condition.status
                                             ? old->last_transition_time
                                             : format_rfc3339(now);
    }
    conditions = std::move(wanted);
}

} // namespace oco::kube
