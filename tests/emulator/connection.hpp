#pragma once

#include "json.hpp"
#include "result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator {

struct EnvironmentAttribute {
    std::string attribute_name;
    std::vector<std::string> default_values;
};

/// How often a PATCH changed each field, whether or not the value was another one.
struct AppliedCounts {
    std::uint64_t password = 0;
    std::uint64_t private_key = 0;
    std::uint64_t base_role = 0;
    std::uint64_t environment = 0;
};

/// One connection as Omni stores it.
struct Connection {
    std::string id; ///< UUID in lower case
    std::string name;
    std::string dialect = "postgres";
    std::string database;
    std::string default_schema;
    std::string deleted_at; ///< RFC 3339; empty while it is not deleted
    std::string base_role = "QUERIER";
    std::optional<EnvironmentAttribute> environment;
    std::optional<std::string> password;
    std::optional<std::string> private_key;
    AppliedCounts applied;

    bool is_deleted() const { return !deleted_at.empty(); }
};

/// Reads `{attributeName, defaultValues}`: both there, of the right types, and nothing else.
Result<EnvironmentAttribute> decode_environment(const rapidjson::Value& value);

/// Reads `{id, name, dialect, database, defaultSchema, baseRole, environmentUserAttribute, deleted,
/// deletedAt, password, privateKey}`. Only `id` is required; `name` defaults to the id.
/// `deleted: true` without `deletedAt` takes `now` (RFC 3339). `applied` is ignored, so that what
/// write_state() shows can be put back.
Result<Connection> decode_connection(const rapidjson::Value& value, std::string_view now);

/// The fields that Omni's API lets a client read.
void write_readable(JsonWriter& writer, const Connection& connection);

enum class Credentials { plain, masked };

/// Everything, in the shape of decode_connection() plus
/// `applied: {passwordUnencrypted, privateKey, baseRole, environmentUserAttribute}` (counters).
void write_state(JsonWriter& writer, const Connection& connection, Credentials credentials);

} // namespace emulator
