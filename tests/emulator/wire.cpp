#include "wire.hpp"

#include <algorithm>
#include <array>

namespace emulator {
namespace {

/// Only for people's eyes: clients go by the number.
std::string_view reason_phrase(unsigned status) {
    constexpr std::array<std::pair<unsigned, std::string_view>, 17> phrases = {{
        {200, "OK"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
    }};
    const auto* found = std::find_if(phrases.begin(), phrases.end(),
                                     [&](const auto& phrase) { return phrase.first == status; });
    return found == phrases.end() ? "Other" : found->second;
}

bool has_header(const Answer& answer, std::string_view lower_name) {
    return std::any_of(answer.headers.begin(), answer.headers.end(),
                       [&](const auto& header) { return lower_case(header.first) == lower_name; });
}

} // namespace

bool asks_to_close(const Answer& answer) {
    return std::any_of(answer.headers.begin(), answer.headers.end(), [](const auto& header) {
        return lower_case(header.first) == "connection" && lower_case(header.second) == "close";
    });
}

WireAnswer serialize(const Answer& answer, std::string_view method, AfterAnswer after) {
    std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " " +
                       std::string(reason_phrase(answer.status)) + "\r\n";
    for (const auto& [name, value] : answer.headers)
        text += name + ": " + value + "\r\n";
    if (after == AfterAnswer::close && !has_header(answer, "connection")) {
        text += "Connection: close\r\n";
    }
    // These two never have a body, nor a length (RFC 9110, 8.6).
    const bool may_have_body = answer.status != 204 && answer.status != 304;
    if (may_have_body) {
        if (!has_header(answer, "content-type")) {
            text += "Content-Type: " + answer.content_type + "\r\n";
        }
        text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    }
    text += "\r\n";
    const auto header_size = text.size();
    if (may_have_body && method != "HEAD")
        text += answer.body;
    return {std::move(text), header_size};
}

} // namespace emulator
