// What the contract's rules look at of the objects in Kubernetes: decoded on purpose by other code
// than the operator's.
#pragma once

#include <boost/json/object.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace oco::sim {

namespace bj = boost::json;

using Name = std::pair<std::string, std::string>; // namespace, name

std::string shown(const Name& name);

enum class Field { credential, base_role, attribute };

inline constexpr std::array all_fields{Field::credential, Field::base_role, Field::attribute};

constexpr std::size_t place(Field field) {
    return static_cast<std::size_t>(field);
}

std::string_view name_of(Field field);

// One flag for each field, by place().
using Fields = std::array<bool, all_fields.size()>;

struct Target {
    std::string host;
    std::string id;

    auto operator<=>(const Target&) const = default;
};

std::string shown(const Target& target);

// An OmniConnection without its status.
struct ObjectFacts {
    Name key;
    std::string uid;
    std::string created; // as it is written: compares as time
    std::int64_t generation = 0;
    bool terminating = false;
    bool suspended = false;
    Name instance;
    std::string connection_id; // one of these two
    std::string connection_name;
    Fields manages{};
    Name secret;
    std::string base_role;
    std::string attribute_name; // empty: Absent
    std::string attribute_values;

    // The older of two holds.
    [[nodiscard]] bool older_than(const ObjectFacts& other) const {
        return std::tie(created, key) < std::tie(other.created, other.key);
    }
};

// The status of an OmniConnection.
struct StatusFacts {
    std::string uid;    // of the object
    std::string reason; // of Ready
    bool ready = false;
    std::int64_t observed_generation = -1;
    std::string connection_id;
    std::string resolved_from; // what connection_id is for
    std::string dialect;
    Target target; // of applied
    Fields applied{};
    // Of applied.credential.
    std::string secret_name;
    std::string secret_uid;
    std::string secret_version;
    std::string rotation_id;
    std::string base_role; // of applied.baseRole
    Fields unanswered{};   // sent, and never answered

    [[nodiscard]] bool applied_anything() const { return applied[0] || applied[1] || applied[2]; }

    [[nodiscard]] bool sent_anything() const {
        return applied_anything() || unanswered[0] || unanswered[1] || unanswered[2];
    }

    bool operator==(const StatusFacts&) const = default;
};

struct InstanceFacts {
    enum class From { same, all, selector };

    Name key;
    std::string uid;
    std::string host;
    Name token_secret;
    int limit = 60;
    From allowed_from = From::same;
    std::set<std::string> allowed_teams; // of the selector: values of the label "team"
    std::optional<std::set<std::string>> allowed_connections;
    bool suspended = false;

    bool operator==(const InstanceFacts&) const = default;

    [[nodiscard]] bool allows_connection(const std::string& id) const {
        return !allowed_connections || allowed_connections->contains(id);
    }
};

struct NamespaceFacts {
    std::string team; // the label

    bool operator==(const NamespaceFacts&) const = default;
};

struct SecretFacts {
    Name key;
    std::string uid;
    std::string version;
    std::string password;
    std::string token;
    std::string rotation_id;
};

ObjectFacts object_facts(const bj::object& object);
StatusFacts status_facts(const bj::object& object);
InstanceFacts instance_facts(const bj::object& object);
NamespaceFacts namespace_facts(const bj::object& object);
SecretFacts secret_facts(const bj::object& object);

// Whether objects of this namespace may use the instance. `labels`: null when they are not known,
// or there is no such namespace.
bool allows_namespace(const InstanceFacts& instance, const std::string& ns,
                      const NamespaceFacts* labels);

} // namespace oco::sim
