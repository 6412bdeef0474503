#include "patch.hpp"

#include "private_key.hpp"

#include <algorithm>
#include <array>

namespace emulator {
namespace {

constexpr std::array<std::string_view, 6> built_in_roles = {
    "VIEWER", "QUERIER", "QUERY_TOPICS", "MODELER", "CONNECTION_ADMIN", "NO_ACCESS"};

bool is_json_type(std::string_view content_type) {
    const auto type = lower_case(content_type.substr(0, content_type.find(';')));
    const auto last = type.find_last_not_of(" \t");
    return last != std::string::npos && type.substr(0, last + 1) == "application/json";
}

Result<void> read_present(const rapidjson::Value& object, const char* name,
                          std::optional<std::string>& target) {
    if (!member(object, name))
        return {};
    std::string text;
    auto read = read_string(object, name, text);
    if (read.has_value())
        target = std::move(text);
    return read;
}

Result<void> check_service_account(std::string_view text) {
    const std::string complaint =
        "passwordUnencrypted of a BigQuery connection must be a service account JSON";
    const auto document = parse_json(text);
    if (!document || !document->IsObject())
        return problem(complaint + " object");
    const auto* type = member(*document, "type");
    if (!type || !type->IsString() || view(*type) != "service_account") {
        return problem(complaint + " with \"type\": \"service_account\"");
    }
    return {};
}

} // namespace

Result<Patch> decode_patch(std::string_view content_type, std::string_view body) {
    if (!is_json_type(content_type))
        return problem("Content-Type must be application/json");
    if (body.empty())
        return problem("Empty request body");
    const auto document = parse_json(body);
    if (!document)
        return problem("Invalid request body: " + document.error().message);
    if (!document->IsObject())
        return problem("Invalid request body: not a JSON object");
    const auto unexpected = unexpected_member(
        *document, {"passwordUnencrypted", "privateKey", "baseRole", "environmentUserAttribute"});
    if (!unexpected.empty())
        return problem("Invalid request body: " + unexpected);
    if (document->ObjectEmpty())
        return problem("At least one field must be provided");
    Patch patch;
    auto read = read_present(*document, "passwordUnencrypted", patch.password);
    if (read)
        read = read_present(*document, "privateKey", patch.private_key);
    if (read)
        read = read_present(*document, "baseRole", patch.base_role);
    if (!read)
        return problem("Invalid request body: " + read.error().message);
    if (const auto* environment = member(*document, "environmentUserAttribute")) {
        patch.sets_environment = true;
        if (environment->IsNull())
            return patch;
        auto attribute = decode_environment(*environment);
        if (!attribute)
            return problem("Invalid request body: " + attribute.error().message);
        patch.environment = std::move(*attribute);
    }
    return patch;
}

Result<void> check_patch(const Patch& patch, const Connection& connection,
                         const std::set<std::string>& custom_roles) {
    if (patch.password) {
        if (patch.password->empty())
            return problem("Empty passwordUnencrypted provided");
        if (connection.dialect == "bigquery") {
            if (auto checked = check_service_account(*patch.password); !checked)
                return checked;
        }
    }
    if (patch.private_key) {
        if (connection.dialect != "snowflake") {
            return problem("privateKey is only applicable to Snowflake connections");
        }
        if (auto checked = check_private_key(*patch.private_key); !checked)
            return checked;
    }
    if (patch.base_role) {
        const bool known = std::find(built_in_roles.begin(), built_in_roles.end(),
                                     *patch.base_role) != built_in_roles.end() ||
                           custom_roles.contains(*patch.base_role);
        if (!known)
            return problem("Invalid baseRole: no such role");
    }
    return {};
}

void apply_patch(const Patch& patch, Connection& connection) {
    if (patch.password) {
        connection.password = patch.password;
        ++connection.applied.password;
    }
    if (patch.private_key) {
        connection.private_key = patch.private_key;
        ++connection.applied.private_key;
    }
    if (patch.base_role) {
        connection.base_role = *patch.base_role;
        ++connection.applied.base_role;
    }
    if (patch.sets_environment) {
        connection.environment = patch.environment;
        ++connection.applied.environment;
    }
}

std::string success_message(const Patch& patch) {
    if (patch.password || patch.private_key)
        return "Updated connection credentials.";
    if (patch.base_role && patch.sets_environment)
        return "Updated connection settings.";
    if (patch.base_role)
        return "Updated connection base role.";
    return "Updated connection environment user attribute.";
}

} // namespace emulator
