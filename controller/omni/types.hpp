// What the operator manages in an Omni connection, and what Omni reports about one.
//
// Source: Omni API, "Update connection" (PATCH /v1/connections/{connectionId}) and "List
// connections" (GET /v1/connections). Credentials are never readable; the fields of ConnectionInfo
// are.
#pragma once

#include "base/secret_bytes.hpp"
#include "base/texts.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oco::omni {

// The parts of a connection that are pushed, claimed and reported separately.
enum class Field { credential, base_role, environment_user_attribute };

// As in metrics and logs.
constexpr std::string_view name(Field field) {
    switch (field) {
    case Field::credential:
        return "credential";
    case Field::base_role:
        return "base_role";
    case Field::environment_user_attribute:
        return "environment_user_attribute";
    }
    return {};
}

// The user attribute that chooses a connection's environment. `absent` is the removed setting (a
// `null` on the wire), which differs from a setting that is left alone (no value of this type).
struct EnvironmentUserAttribute {
    enum class State { present, absent };

    State state = State::present;
    std::string attribute_name; // empty when absent
    Texts default_values;       // in order; empty when absent

    bool operator==(const EnvironmentUserAttribute&) const = default;
};

// Omni writes the values as an array, or as one string with commas between them. Such a string
// split at its commas need not be the values it was made from: they are compared joined, white
// space around commas aside.
enum class ValuesForm { list, joined };

// Of values in one of these forms, for a comparison with others in the same form.
std::string fingerprint_of(const std::vector<std::string>& values, ValuesForm form);

// What Omni reports as an EnvironmentUserAttribute. The values may be long, and be somebody else's.
struct ReportedAttribute {
    EnvironmentUserAttribute::State state = EnvironmentUserAttribute::State::present;
    std::string attribute_name; // empty when absent
    ValuesForm form = ValuesForm::list;
    std::string values; // their fingerprint; empty when absent, or longer than can be wanted

    bool operator==(const ReportedAttribute&) const = default;
};

// What Omni reports about a connection. nullopt: not reported; a null role counts as not reported,
// a null or empty attribute is `absent`.
struct ConnectionInfo {
    std::string id; // as Omni writes it: letters, digits, '-' and '_', at most 128
    std::string name;
    std::string dialect;  // empty: not reported
    bool deleted = false; // Omni keeps deleted connections, with `deletedAt` set
    std::optional<std::string> base_role;
    std::optional<ReportedAttribute> environment_user_attribute;
};

// What one PATCH sends: only what is set, and at least one field. All texts are UTF-8.
struct Update {
    SecretBytes password;    // `passwordUnencrypted`, unless empty
    SecretBytes private_key; // `privateKey`, unless empty
    std::optional<std::string> base_role;
    std::optional<EnvironmentUserAttribute> environment_user_attribute;

    [[nodiscard]] bool empty() const {
        return password.empty() && private_key.empty() && !base_role && !environment_user_attribute;
    }
};

// Whether Omni treats the two as one role: QUERY_TOPICS is also written RESTRICTED_QUERIER.
bool same_role(std::string_view a, std::string_view b);

// Whether what Omni reported is the wanted setting; true if it was not reported, because nothing is
// known to differ.
bool same_environment(const ConnectionInfo& told, const EnvironmentUserAttribute& wanted);

} // namespace oco::omni
