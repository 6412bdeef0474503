#include "seed.hpp"

#include "http.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>

namespace emulator {
namespace {

/// A quoted scalar is a string whatever it says; a plain one may be a flag or nothing. Numbers stay
/// strings: no field here is a number, and a database may be called 1234.
rapidjson::Value scalar_to_json(const YAML::Node& node, rapidjson::Document& document) {
    const auto& text = node.Scalar();
    if (node.Tag() != "!") {
        if (text == "true")
            return rapidjson::Value(true);
        if (text == "false")
            return rapidjson::Value(false);
        if (text.empty() || text == "null" || text == "~")
            return rapidjson::Value();
    }
    return {text.data(), static_cast<rapidjson::SizeType>(text.size()), document.GetAllocator()};
}

rapidjson::Value to_value(const YAML::Node& node, rapidjson::Document& document) {
    auto& allocator = document.GetAllocator();
    if (node.IsScalar())
        return scalar_to_json(node, document);
    if (node.IsSequence()) {
        rapidjson::Value array(rapidjson::kArrayType);
        for (const auto& item : node)
            array.PushBack(to_value(item, document), allocator);
        return array;
    }
    if (node.IsMap()) {
        rapidjson::Value object(rapidjson::kObjectType);
        for (const auto& pair : node) {
            rapidjson::Value key(pair.first.as<std::string>().c_str(), allocator);
            object.AddMember(key, to_value(pair.second, document), allocator);
        }
        return object;
    }
    return {};
}

bool is_viewer(const std::string& role) {
    return role == "viewer";
}

Result<std::vector<Connection>> decode_connections(const rapidjson::Value& value,
                                                   std::string_view now) {
    if (!value.IsArray())
        return problem("connections must be a list");
    std::vector<Connection> connections;
    std::set<std::string> seen;
    for (const auto& item : value.GetArray()) {
        auto connection = decode_connection(item, now);
        if (!connection)
            return connection.error();
        if (!seen.insert(connection->id).second) {
            return problem("connection " + connection->id + " is there twice");
        }
        connections.push_back(std::move(*connection));
    }
    return connections;
}

Result<Seed> decode_seed(const rapidjson::Value& value, std::string_view now) {
    Seed seed;
    if (value.IsNull())
        return seed;
    const bool is_map = value.IsObject();
    if (!is_map && !value.IsArray())
        return problem("neither a list of connections nor a map");
    if (is_map) {
        const auto unexpected = unexpected_member(value, {"connections", "customRoles", "tokens"});
        if (!unexpected.empty())
            return problem(unexpected);
    }
    if (const auto* list = is_map ? member(value, "connections") : &value) {
        auto connections = decode_connections(*list, now);
        if (!connections)
            return connections.error();
        seed.connections = std::move(*connections);
    }
    if (!is_map)
        return seed;
    std::vector<std::string> roles;
    if (auto read = read_strings(value, "customRoles", roles); !read)
        return read.error();
    seed.custom_roles = {roles.begin(), roles.end()};
    if (const auto* list = member(value, "tokens")) {
        auto tokens = decode_tokens(*list);
        if (!tokens)
            return tokens.error();
        seed.tokens = std::move(*tokens);
    }
    return seed;
}

} // namespace

Result<Token> decode_token(const rapidjson::Value& value) {
    Token token;
    if (value.IsString()) {
        token.text = view(value);
    } else {
        if (!value.IsObject())
            return problem("a token must be a string or an object");
        const auto unexpected = unexpected_member(value, {"token", "admin", "role", "connections"});
        if (!unexpected.empty())
            return problem("token: " + unexpected);
        std::string role = "admin";
        std::vector<std::string> ids;
        auto read = read_string(value, "token", token.text);
        if (read)
            read = read_string(value, "role", role);
        if (read)
            read = read_strings(value, "connections", ids);
        token.admin = !is_viewer(role) && !member(value, "connections");
        if (read)
            read = read_flag(value, "admin", token.admin);
        if (!read)
            return problem("token: " + read.error().message);
        if (role != "admin" && !is_viewer(role)) {
            return problem("token: role must be admin or viewer");
        }
        if (token.admin && is_viewer(role))
            return problem("token: a viewer can't be an admin");
        for (const auto& id : ids) {
            if (!is_uuid(id))
                return problem("token: connections must be a list of UUIDs");
            token.connections.insert(lower_case(id));
        }
    }
    const auto visible = [](char c) {
        return c > ' ' && c < '\x7f';
    };
    if (token.text.empty() || !std::all_of(token.text.begin(), token.text.end(), visible)) {
        return problem("a token must be one or more visible ASCII characters");
    }
    return token;
}

Result<std::vector<Token>> decode_tokens(const rapidjson::Value& value) {
    if (!value.IsArray())
        return problem("tokens must be a list");
    std::vector<Token> tokens;
    std::set<std::string> seen;
    for (const auto& item : value.GetArray()) {
        auto token = decode_token(item);
        if (!token)
            return token.error();
        if (!seen.insert(token->text).second)
            return problem("a token is there twice");
        tokens.push_back(std::move(*token));
    }
    return tokens;
}

Result<Seed> parse_seed(const std::string& yaml, std::string_view now) {
    rapidjson::Document document;
    try {
        const rapidjson::Value value = to_value(YAML::Load(yaml), document);
        return decode_seed(value, now);
    } catch (const YAML::Exception& failure) {
        return problem("line " + std::to_string(failure.mark.line + 1) + ": " + failure.msg);
    }
}

} // namespace emulator
