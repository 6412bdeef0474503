#include "model.hpp"

#include <algorithm>

namespace emulator {
namespace {

Answer method_not_allowed(std::string_view allowed) {
    Answer answer = error_answer(405, "Method not allowed");
    answer.headers.emplace_back("Allow", allowed);
    return answer;
}

Answer whoami(const Token& token) {
    return {.body = to_json([&](JsonWriter& writer) {
                writer.StartObject();
                put(writer, "keyScope", "organization");
                put(writer, "orgRole", token.admin ? "ADMIN" : "VIEWER");
                writer.Key("rolesByModel");
                writer.StartObject();
                writer.EndObject();
                writer.EndObject();
            })};
}

std::string parameter(const Target& target, const std::string& name) {
    const auto found = target.query.find(name);
    return found == target.query.end() ? std::string{} : found->second;
}

bool contains(const std::string& text, const std::string& part) {
    return lower_case(text).find(lower_case(part)) != std::string::npos;
}

bool in_comma_list(const std::string& list, const std::string& item) {
    return ("," + list + ",").find("," + item + ",") != std::string::npos;
}

void sort_by(std::vector<const Connection*>& found, const std::string& field, bool descending) {
    std::string Connection::*key = nullptr;
    if (field == "name")
        key = &Connection::name;
    if (field == "database")
        key = &Connection::database;
    if (field == "dialect")
        key = &Connection::dialect;
    if (!key)
        return; // an unknown field leaves the order of the ids
    std::stable_sort(found.begin(), found.end(), [&](const auto* left, const auto* right) {
        return descending ? right->*key < left->*key : left->*key < right->*key;
    });
}

} // namespace

Model::Model(Seed seed)
    : custom_roles_(std::move(seed.custom_roles)), tokens_(std::move(seed.tokens)) {
    for (auto& connection : seed.connections)
        put_connection(std::move(connection));
}

std::optional<std::size_t>
Model::find_token(const std::optional<std::string>& authorization) const {
    if (!authorization)
        return {};
    constexpr std::string_view scheme = "bearer ";
    if (lower_case(std::string_view(*authorization).substr(0, scheme.size())) != scheme)
        return {};
    const auto text = std::string_view(*authorization).substr(scheme.size());
    const auto found = std::find_if(tokens_.begin(), tokens_.end(),
                                    [&](const Token& token) { return token.text == text; });
    if (found == tokens_.end())
        return {};
    return static_cast<std::size_t>(found - tokens_.begin());
}

Outcome Model::handle(const Request& request) {
    if (request.body_too_large)
        return {error_answer(413, "Request body is over 1 MiB")};
    const Target target = parse_target(request.target);
    if (!target.path.starts_with("/api/v1/"))
        return {error_answer(404, "Not found")};
    const auto index = find_token(request.authorization);
    if (!index) {
        return {error_answer(401, request.authorization ? "Invalid bearer token"
                                                        : "Missing bearer token")};
    }
    const Token& token = tokens_[*index];
    if (target.path == "/api/v1/whoami") {
        return {request.method == "GET" ? whoami(token) : method_not_allowed("GET")};
    }
    if (target.path == "/api/v1/connections") {
        return {request.method == "GET" ? list_connections(target) : method_not_allowed("GET")};
    }
    const std::string id = connection_id_of(target.path);
    if (id.empty())
        return {error_answer(404, "Not found")};
    if (request.method == "PATCH")
        return handle_patch(token, id, request);
    if (request.method == "GET")
        return {get_connection(id, target)};
    return {method_not_allowed("GET, PATCH")};
}

Outcome Model::handle_patch(const Token& token, const std::string& id, const Request& request) {
    if (!is_uuid(id))
        return {error_answer(400, "Invalid connectionId: not a UUID")};
    const auto patch = decode_patch(request.content_type, request.body);
    if (!patch)
        return {error_answer(400, patch.error().message)};
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second.is_deleted()) {
        return {error_answer(404, "Connection not found")};
    }
    if (!token.admin && !token.connections.contains(id)) {
        return {error_answer(403, "Connection Admin permissions are required")};
    }
    if (const auto checked = check_patch(*patch, found->second, custom_roles_); !checked) {
        return {error_answer(400, checked.error().message)};
    }
    apply_patch(*patch, found->second);
    return {.answer = {.body = to_json([&](JsonWriter& writer) {
                           writer.StartObject();
                           put_flag(writer, "success", true);
                           put(writer, "message", success_message(*patch));
                           writer.EndObject();
                       })},
            .applied = true};
}

Answer Model::list_connections(const Target& target) const {
    const auto name = parameter(target, "name");
    const auto database = parameter(target, "database");
    const auto dialects = parameter(target, "dialect");
    const bool with_deleted = parameter(target, "includeDeleted") == "true";
    std::vector<const Connection*> found;
    for (const auto& [id, connection] : connections_) {
        const bool wanted = (with_deleted || !connection.is_deleted()) &&
                            contains(connection.name, name) &&
                            contains(connection.database, database) &&
                            (dialects.empty() || in_comma_list(dialects, connection.dialect));
        if (wanted)
            found.push_back(&connection);
    }
    sort_by(found, parameter(target, "sortField"),
            lower_case(parameter(target, "sortDirection")) == "desc");
    return {.body = to_json([&](JsonWriter& writer) {
                writer.StartObject();
                writer.Key("connections");
                writer.StartArray();
                for (const auto* connection : found)
                    write_readable(writer, *connection);
                writer.EndArray();
                writer.EndObject();
            })};
}

Answer Model::get_connection(const std::string& id, const Target& target) const {
    if (!is_uuid(id))
        return error_answer(400, "Invalid connectionId: not a UUID");
    const auto found = connections_.find(id);
    const bool with_deleted = parameter(target, "includeDeleted") == "true";
    if (found == connections_.end() || (found->second.is_deleted() && !with_deleted)) {
        return error_answer(404, "Connection not found");
    }
    return {.body = to_json([&](JsonWriter& writer) {
                writer.StartObject();
                writer.Key("connection");
                write_readable(writer, found->second);
                writer.EndObject();
            })};
}

void Model::put_connection(Connection connection) {
    auto id = connection.id;
    connections_.insert_or_assign(std::move(id), std::move(connection));
}

bool Model::delete_connection(const std::string& id, std::string_view now) {
    const auto found = connections_.find(id);
    if (found == connections_.end())
        return false;
    if (!found->second.is_deleted())
        found->second.deleted_at = now;
    return true;
}

bool Model::purge_connection(const std::string& id) {
    return connections_.erase(id) > 0;
}

} // namespace emulator
