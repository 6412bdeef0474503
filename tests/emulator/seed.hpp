#pragma once

#include "connection.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace emulator {

/// One API key and its rights. A token without `connections` that is no admin may only read.
struct Token {
    std::string text;
    bool admin = true;
    std::set<std::string> connections; ///< ids it may change although it is no admin
};

/// What the emulator starts with.
struct Seed {
    std::vector<Connection> connections;
    std::set<std::string> custom_roles;
    std::vector<Token> tokens;
};

/// A token as a string (admin of all) or `{token, admin, role: admin|viewer, connections: [id]}`.
/// `admin` defaults to true unless `role` is viewer or `connections` is there.
Result<Token> decode_token(const rapidjson::Value& value);

/// A list of decode_token(), no token twice.
Result<std::vector<Token>> decode_tokens(const rapidjson::Value& value);

/// Reads YAML: a list of connections (see decode_connection()), or a map
/// `{connections: [], customRoles: [], tokens: []}`. `now` is RFC 3339.
Result<Seed> parse_seed(const std::string& yaml, std::string_view now);

} // namespace emulator
