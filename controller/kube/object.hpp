// What all Kubernetes objects have in common, as far as the operator needs it.
#pragma once

#include "base/json.hpp"
#include "base/time.hpp"

#include <compare>
#include <functional>
#include <string>

namespace oco::kube {

struct ObjectKey {
    std::string ns;
    std::string name;

    auto operator<=>(const ObjectKey&) const = default;

    [[nodiscard]] std::string str() const { return ns.empty() ? name : ns + "/" + name; }
};

struct ObjectMeta {
    ObjectKey key;
    std::string uid;
    std::string resource_version; // opaque: compared for equality only
    std::int64_t generation = 0;
    WallTime created{};
    bool deleting = false; // metadata.deletionTimestamp is set; finalizers of others keep it there
    bool has_status = false; // a CRD without a default for it leaves new objects without any
};

// Whether both versions are revisions of etcd, which is not promised, and the first is the older
// one. Only to grow suspicious: of an API server that was restored from a backup.
bool is_older_version(std::string_view version, std::string_view than);

ObjectMeta decode_meta(const json::Value& object);

// A token that somebody chose, as it is kept, compared and shown: the token, or "sha256:" and its
// digest in hexadecimal where it has more than `max_token_bytes`.
inline constexpr std::size_t max_token_bytes = 1024;
std::string bounded_token(std::string_view token);

// The value of metadata.annotations[name], as a bounded_token; empty when absent.
std::string annotation(const json::Value& object, std::string_view name);

// A condition of a status (metav1.Condition).
struct Condition {
    std::string type;
    std::string status; // True, False, Unknown
    std::string reason;
    std::string message;
    std::int64_t observed_generation = 0;
    std::string last_transition_time; // RFC 3339

    bool operator==(const Condition&) const = default;
};

std::vector<Condition> decode_conditions(const json::Value& status);
void encode_conditions(json::Writer& writer, const std::vector<Condition>& conditions);
const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);

// With everything that one can say.
Condition complete_condition();

// Whether the operator writes conditions of this type; others belong to other controllers.
bool owns_condition(std::string_view type);
void drop_foreign_conditions(std::vector<Condition>& conditions);

// Replaces the conditions, which are the operator's own, by `wanted`; what keeps its status keeps
// its transition time.
void set_conditions(std::vector<Condition>& conditions, std::vector<Condition> wanted,
                    WallTime now);

} // namespace oco::kube

template<>
struct std::hash<oco::kube::ObjectKey> {
    std::size_t operator()(const oco::kube::ObjectKey& key) const noexcept {
        return std::hash<std::string>()(key.ns) * 31 + std::hash<std::string>()(key.name);
    }
};
