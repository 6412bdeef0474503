#pragma once

#include "connection.hpp"
#include "http.hpp"

#include <set>

namespace emulator {

/// What a PATCH of a connection asks for. Fields that were not sent stay as they are.
struct Patch {
    std::optional<std::string> password;
    std::optional<std::string> private_key;
    std::optional<std::string> base_role;
    bool sets_environment = false;                   ///< whether environmentUserAttribute was sent
    std::optional<EnvironmentAttribute> environment; ///< nothing: remove the setting (null)
};

/// The first check: content type, JSON, known fields, types. Every Problem is an HTTP 400.
Result<Patch> decode_patch(std::string_view content_type, std::string_view body);

/// The second check: whether the values suit this connection. Every Problem is an HTTP 400.
/// Order: passwordUnencrypted, privateKey, baseRole.
Result<void> check_patch(const Patch& patch, const Connection& connection,
                         const std::set<std::string>& custom_roles);

/// Stores what the patch says and counts it.
void apply_patch(const Patch& patch, Connection& connection);

/// The `message` of the 200.
std::string success_message(const Patch& patch);

} // namespace emulator
