#include "omni/request.hpp"

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

// One member, after a comma unless it is the first.
void append_name(SecretBytes& out, std::string_view name) {
    out.append(out.size() == 1 ? "\"" : ",\"");
    out.append(name);
    out.append("\":");
}

void append_environment(SecretBytes& out, const EnvironmentUserAttribute& attribute) {
    append_name(out, "environmentUserAttribute");
    if (attribute.state == EnvironmentUserAttribute::State::absent)
        return out.append("null");
    out.append("{\"attributeName\":");
    append_json_string(out, attribute.attribute_name);
    out.append(",\"defaultValues\":[");
    bool first = true;
    for (const auto& value : attribute.default_values) {
        if (!first)
            out.append(",");
        first = false;
        append_json_string(out, value);
    }
    out.append("]}");
}

SecretBytes body_of(const Update& update) {
    SecretBytes out;
    // Room for the usual case; SecretBytes wipes what it outgrows in the others.
    const std::size_t credential = update.password.size() + update.private_key.size();
    out.reserve(256 + credential + credential / 8);
    out.append("{");
    const auto append_text = [&out](std::string_view name, std::string_view text) {
        append_name(out, name);
        append_json_string(out, text);
    };
    if (!update.password.empty())
        append_text("passwordUnencrypted", update.password.expose());
    if (!update.private_key.empty())
        append_text("privateKey", update.private_key.expose());
    if (update.base_role)
        append_text("baseRole", *update.base_role);
    if (update.environment_user_attribute)
        append_environment(out, *update.environment_user_attribute);
    out.append("}");
    return out;
}

} // namespace

void append_json_string(SecretBytes& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto escape_of = [](char c) -> char {
        switch (c) {
        case '"':
        case '\\':
            return c;
        case '\b':
            return 'b';
        case '\f':
            return 'f';
        case '\n':
            return 'n';
        case '\r':
            return 'r';
        case '\t':
            return 't';
        default:
            return 0;
        }
    };
    out.push_back('"');
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (const char escape = escape_of(c); escape != 0) {
            const char pair[] = {'\\', escape};
            out.append({pair, sizeof pair});
        } else if (byte < 0x20) {
            out.append("\\u00");
            out.push_back(digits[byte >> 4]);
            out.push_back(digits[byte & 0xF]);
        } else {
            out.push_back(c);
        }
    }
    out.push_back('"');
}

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
