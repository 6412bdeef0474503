#include "connection.hpp"

#include "http.hpp"
#include "mask.hpp"

namespace emulator {
namespace {

void put_strings(JsonWriter& writer, const char* key, const std::vector<std::string>& strings) {
    writer.Key(key);
    writer.StartArray();
    for (const auto& text : strings)
        put(writer, text);
    writer.EndArray();
}

void put_credential(JsonWriter& writer, const char* key, std::string_view kind,
                    const std::optional<std::string>& value, Credentials credentials) {
    writer.Key(key);
    if (!value) {
        writer.Null();
    } else if (credentials == Credentials::masked) {
        put(writer, mask_credential(kind, *value));
    } else {
        put(writer, *value);
    }
}

Result<void> read_optional(const rapidjson::Value& object, const char* name,
                           std::optional<std::string>& target) {
    const auto* value = member(object, name);
    if (!value || value->IsNull())
        return {};
    std::string text;
    auto read = read_string(object, name, text);
    if (read.has_value())
        target = std::move(text);
    return read;
}

Result<void> read_identity(const rapidjson::Value& value, Connection& connection) {
    if (auto read = read_string(value, "id", connection.id); !read)
        return read;
    if (!is_uuid(connection.id))
        return problem("id must be a UUID");
    connection.id = lower_case(connection.id);
    connection.name = connection.id;
    return {};
}

Result<void> read_plain_fields(const rapidjson::Value& value, Connection& connection) {
    const std::pair<const char*, std::string*> fields[] = {
        {"name", &connection.name},          {"dialect", &connection.dialect},
        {"database", &connection.database},  {"defaultSchema", &connection.default_schema},
        {"baseRole", &connection.base_role},
    };
    for (const auto& [name, target] : fields) {
        const auto* found = member(value, name);
        if (found && found->IsNull())
            continue;
        if (auto read = read_string(value, name, *target); !read)
            return read;
    }
    if (connection.dialect.empty())
        return problem("dialect must not be empty");
    return {};
}

Result<void> read_deletion(const rapidjson::Value& value, std::string_view now,
                           Connection& connection) {
    bool deleted = false;
    std::optional<std::string> deleted_at;
    if (auto read = read_flag(value, "deleted", deleted); !read)
        return read;
    if (auto read = read_optional(value, "deletedAt", deleted_at); !read)
        return read;
    if (deleted)
        connection.deleted_at = deleted_at.value_or(std::string(now));
    if (!deleted && deleted_at) {
        return problem("deletedAt goes with \"deleted\": true");
    }
    return {};
}

} // namespace

Result<EnvironmentAttribute> decode_environment(const rapidjson::Value& value) {
    const std::string where = "environmentUserAttribute";
    if (!value.IsObject())
        return problem(where + " must be an object or null");
    if (auto text = unexpected_member(value, {"attributeName", "defaultValues"}); !text.empty()) {
        return problem(where + ": " + text);
    }
    for (const char* name : {"attributeName", "defaultValues"}) {
        if (!member(value, name))
            return problem(where + "." + name + " is required");
    }
    EnvironmentAttribute decoded;
    if (auto read = read_string(value, "attributeName", decoded.attribute_name); !read) {
        return problem(where + "." + read.error().message);
    }
    if (decoded.attribute_name.empty()) {
        return problem(where + ".attributeName must not be empty");
    }
    if (auto read = read_strings(value, "defaultValues", decoded.default_values); !read) {
        return problem(where + "." + read.error().message);
    }
    return decoded;
}

Result<Connection> decode_connection(const rapidjson::Value& value, std::string_view now) {
    if (!value.IsObject())
        return problem("a connection must be an object");
    const auto unexpected =
        unexpected_member(value, {"id", "name", "dialect", "database", "defaultSchema", "baseRole",
                                  "environmentUserAttribute", "deleted", "deletedAt", "password",
                                  "privateKey", "applied"});
    if (!unexpected.empty())
        return problem("connection: " + unexpected);
    Connection decoded;
    auto read = read_identity(value, decoded);
    if (read)
        read = read_plain_fields(value, decoded);
    if (read)
        read = read_deletion(value, now, decoded);
    if (read)
        read = read_optional(value, "password", decoded.password);
    if (read)
        read = read_optional(value, "privateKey", decoded.private_key);
    if (!read)
        return problem("connection " + decoded.id + ": " + read.error().message);
    const auto* environment = member(value, "environmentUserAttribute");
    if (environment && !environment->IsNull()) {
        auto attribute = decode_environment(*environment);
        if (!attribute) {
            return problem("connection " + decoded.id + ": " + attribute.error().message);
        }
        decoded.environment = std::move(*attribute);
    }
    return decoded;
}

void write_readable(JsonWriter& writer, const Connection& connection) {
    writer.StartObject();
    put(writer, "id", connection.id);
    put(writer, "name", connection.name);
    put(writer, "dialect", connection.dialect);
    put(writer, "database", connection.database);
    put_or_null(writer, "defaultSchema", connection.default_schema);
    put_or_null(writer, "deletedAt", connection.deleted_at);
    put(writer, "baseRole", connection.base_role);
    const EnvironmentAttribute none;
    const auto& environment = connection.environment ? *connection.environment : none;
    put_or_null(writer, "userAttributeNameForConnectionEnvironments", environment.attribute_name);
    put_strings(writer, "userAttributeValuesForDefaultEnvironment", environment.default_values);
    writer.EndObject();
}

void write_state(JsonWriter& writer, const Connection& connection, Credentials credentials) {
    writer.StartObject();
    put(writer, "id", connection.id);
    put(writer, "name", connection.name);
    put(writer, "dialect", connection.dialect);
    put(writer, "database", connection.database);
    put(writer, "defaultSchema", connection.default_schema);
    put(writer, "baseRole", connection.base_role);
    writer.Key("environmentUserAttribute");
    if (connection.environment) {
        writer.StartObject();
        put(writer, "attributeName", connection.environment->attribute_name);
        put_strings(writer, "defaultValues", connection.environment->default_values);
        writer.EndObject();
    } else {
        writer.Null();
    }
    put_flag(writer, "deleted", connection.is_deleted());
    put_or_null(writer, "deletedAt", connection.deleted_at);
    put_credential(writer, "password", "password", connection.password, credentials);
    put_credential(writer, "privateKey", "private key", connection.private_key, credentials);
    writer.Key("applied");
    writer.StartObject();
    put(writer, "passwordUnencrypted", connection.applied.password);
    put(writer, "privateKey", connection.applied.private_key);
    put(writer, "baseRole", connection.applied.base_role);
    put(writer, "environmentUserAttribute", connection.applied.environment);
    writer.EndObject();
    writer.EndObject();
}

} // namespace emulator
