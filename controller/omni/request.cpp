#include "omni/request.hpp"

#include "base/json.hpp"

#include <string>

namespace oco::omni {
namespace {

constexpr std::string_view connections = "/api/v1/connections";

std::string connection_path(std::string_view id) {
    return std::string(connections) + "/" + http::percent_encode(id);
}

http::Request read(std::string target) {
    http::Request request;
    request.target = std::move(target);
    request.headers = {{"Accept", "application/json"}};
    return request;
}

void write_environment(json::Writer& json, const EnvironmentUserAttribute& attribute) {
    json.field("environmentUserAttribute");
    if (attribute.state == EnvironmentUserAttribute::State::absent) {
        json.null();
        return;
    }
    json.begin_object().member("attributeName", attribute.attribute_name);
    json.field("defaultValues").begin_array();
    for (const auto& value : attribute.default_values)
        json.value(value);
    json.end_array().end_object();
}

SecretBytes body_of(const Update& update) {
    json::Writer json;
    json.begin_object();
    if (!update.password.empty())
        json.member("passwordUnencrypted", update.password.expose());
    if (!update.private_key.empty())
        json.member("privateKey", update.private_key.expose());
    if (update.base_role)
        json.member("baseRole", *update.base_role);
    if (update.environment_user_attribute)
        write_environment(json, *update.environment_user_attribute);
    json.end_object();
    return SecretBytes(json.view());
}

} // namespace

http::Request update_request(std::string_view connection_id, const Update& update) {
    http::Request request = read(connection_path(connection_id));
    request.method = "PATCH";
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = body_of(update);
    return request;
}

http::Request list_request() {
    return read(std::string(connections));
}

http::Request get_request(std::string_view connection_id) {
    return read(connection_path(connection_id));
}

http::Request whoami_request() {
    return read("/api/v1/whoami");
}

} // namespace oco::omni
