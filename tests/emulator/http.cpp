#include "http.hpp"

#include "json.hpp"

#include <algorithm>

namespace emulator {
namespace {

constexpr std::string_view connection_prefix = "/api/v1/connections/";

int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

std::string percent_decode(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            decoded += ' ';
        } else if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                   hex_digit(text[i + 2]) >= 0) {
            decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            decoded += text[i];
        }
    }
    return decoded;
}

} // namespace

Target parse_target(std::string_view target) {
    Target parsed;
    const auto mark = target.find('?');
    parsed.path = target.substr(0, mark);
    if (mark == std::string_view::npos)
        return parsed;
    std::string_view rest = target.substr(mark + 1);
    while (!rest.empty()) {
        const auto pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const auto equals = pair.find('=');
        const auto value =
            equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
        if (!pair.empty()) {
            parsed.query[percent_decode(pair.substr(0, equals))] = percent_decode(value);
        }
    }
    return parsed;
}

std::string connection_id_of(std::string_view path) {
    if (!path.starts_with(connection_prefix))
        return {};
    path.remove_prefix(connection_prefix.size());
    return path.find('/') == std::string_view::npos ? lower_case(path) : std::string{};
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36)
        return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : hex_digit(text[i]) < 0)
            return false;
    }
    return true;
}

Answer error_answer(unsigned status, std::string_view message) {
    return {.status = status, .body = to_json([&](JsonWriter& writer) {
                                  writer.StartObject();
                                  put(writer, "error", std::to_string(status));
                                  put(writer, "message", message);
                                  writer.EndObject();
                              })};
}

} // namespace emulator
