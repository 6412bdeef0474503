#include "omni/answer.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "http/retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace oco::omni {
namespace {

constexpr std::size_t max_parsed_error_bytes = 64 * 1024; // longer ones count as plain text
constexpr std::size_t max_examined_bytes = 1024;          // of a text that may be shown
constexpr std::size_t max_shown_bytes = 400;              // leaves room within max_message_bytes

bool is_html(const http::Response& response) {
    return to_lower(response.header("content-type")).find("html") != std::string::npos ||
           trim(response.body.expose()).starts_with('<');
}

std::optional<json::Document> parsed_body(const http::Response& response) {
    const auto text = response.body.expose();
    if (text.empty() || text.size() > max_parsed_error_bytes)
        return std::nullopt;
    auto document = json::parse(text);
    if (!document)
        return std::nullopt;
    return std::move(*document);
}

// The most specific text of an error body: `message` before `error`, which holds the status by the
// documentation. Empty when there is none.
std::string_view specific_text(const json::Value& value, int levels = 4) {
    if (levels == 0)
        return {};
    if (value.IsString())
        return trim(json::text_of(value));
    if (value.IsArray() && !value.Empty())
        return specific_text(value[0], levels - 1);
    for (const auto* name : {"message", "detail", "error", "errors", "title"})
        if (const auto* member = json::find(value, name))
            if (const auto text = specific_text(*member, levels - 1); !text.empty())
                return text;
    return {};
}

void append_utf8(SecretBytes& out, unsigned code) {
    const auto byte = [&out](unsigned value) {
        out.push_back(static_cast<char>(value));
    };
    if (code < 0x80)
        return byte(code);
    if (code < 0x800) {
        byte(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            byte(0xE0 | code >> 12);
        } else {
            byte(0xF0 | code >> 18);
            byte(0x80 | (code >> 12 & 0x3F));
        }
        byte(0x80 | (code >> 6 & 0x3F));
    }
    byte(0x80 | (code & 0x3F));
}

// "uXXXX" at the front.
std::optional<unsigned> unicode_escape(std::string_view text) {
    unsigned code = 0;
    if (text.size() < 5 || text[0] != 'u')
        return std::nullopt;
    const auto [stop, error] = std::from_chars(text.data() + 1, text.data() + 5, code, 16);
    if (error != std::errc{} || stop != text.data() + 5)
        return std::nullopt;
    return code;
}

// JSON's escapes undone, in whichever of their forms ("\/", "\u00e9"); what is no escape stays.
SecretBytes unescaped(std::string_view text) {
    constexpr std::string_view letters = "bfnrt\"\\/";
    constexpr std::string_view meanings = "\b\f\n\r\t\"\\/";
    SecretBytes out;
    out.reserve(text.size());
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c != '\\' || text.empty()) {
            out.push_back(c);
        } else if (const auto at = letters.find(text.front()); at != std::string_view::npos) {
            out.push_back(meanings[at]);
            text.remove_prefix(1);
        } else if (auto code = unicode_escape(text)) {
            text.remove_prefix(5);
            const auto low = text.starts_with('\\') ? unicode_escape(text.substr(1)) : std::nullopt;
            const bool pair =
                *code >= 0xD800 && *code < 0xDC00 && low && *low >= 0xDC00 && *low < 0xE000;
            if (pair) {
                text.remove_prefix(6);
                code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
            }
            append_utf8(out, *code);
        } else {
            out.push_back(c);
        }
    }
    return out;
}

bool repeats(std::string_view text, const SecretBytes* secret) {
    if (secret == nullptr || secret->empty())
        return false;
    if (shares_run(text, secret->expose()))
        return true;
    json::Writer json;
    const std::string_view escaped = json.value(secret->expose()).view();
    const bool differs = escaped.size() != secret->size() + 2;
    return differs && shares_run(text, escaped.substr(1, escaped.size() - 2));
}

bool repeats_any(std::string_view text, const Outgoing& outgoing) {
    return repeats(text, outgoing.token) ||
           (outgoing.update != nullptr && (repeats(text, &outgoing.update->password) ||
                                           repeats(text, &outgoing.update->private_key)));
}

// A text of the server's as it may be shown: cleaned, cut, or withheld. Both the text and what
// cleaning made of it are examined, since dropping a control character can join two harmless
// halves.
std::string shown(std::string_view text, const Outgoing& outgoing) {
    constexpr const char* withheld = "(text withheld: it repeats part of what was sent)";
    text = text.substr(0, max_examined_bytes);
    if (repeats_any(text, outgoing))
        return withheld;
    const bool has_escapes = text.find('\\') != std::string_view::npos;
    if (has_escapes && repeats_any(unescaped(text).expose(), outgoing))
        return withheld;
    std::string clean = printable(text, max_shown_bytes);
    if (clean == text || !repeats_any(clean, outgoing))
        return clean;
    wipe(clean.data(), clean.size());
    return withheld;
}

// ": TEXT", or nothing.
std::string explanation(const http::Response& response, const Outgoing& outgoing) {
    if (is_html(response))
        return ": (an HTML page)";
    const auto document = parsed_body(response);
    const auto text = document ? specific_text(*document) : trim(response.body.expose());
    // The documentation's `error` is the status again.
    if (text.empty() || text == std::to_string(response.status))
        return {};
    const auto clean = shown(text, outgoing);
    return clean.empty() ? clean : ": " + clean;
}

ErrorClass class_of(int status) {
    switch (status) {
    case 401:
        return ErrorClass::unauthorized;
    case 403:
        return ErrorClass::forbidden;
    case 404:
    case 410:
        return ErrorClass::not_found;
    case 429:
        return ErrorClass::rate_limited;
    case 400:
    case 422:
        return ErrorClass::refused;
    default: // whatever else it was, the value was not looked at, and another time it may be
        return ErrorClass::unavailable;
    }
}

// Whether the status says that a PATCH was not carried out.
bool is_definite(int status) {
    return status >= 300 && status < 500 && status != 408;
}

bool says_failure(const json::Value& body) {
    return json::bool_at(body, "success") == false || json::string_at(body, "success") == "false";
}

// What Omni answers to what it has carried out: an object that says so, or says nothing of an
// error.
bool says_success(const json::Value& body) {
    if (!body.IsObject())
        return false;
    if (json::find(body, "success") != nullptr)
        return json::bool_at(body, "success") == true || json::string_at(body, "success") == "true";
    return std::ranges::none_of(std::array{"error", "errors", "detail"}, [&](const char* name) {
        const auto* member = json::find(body, name);
        return member != nullptr && !member->IsNull();
    });
}

std::string answered(int status) {
    return "Omni returned " + std::to_string(status);
}

// A 2xx by which nobody can tell whether it was stored, or will be.
Error undecided(int status, const std::string& how) {
    return {.kind = ErrorClass::unavailable,
            .message = answered(status) + how,
            .http_status = status,
            .sent = Sent::maybe};
}

} // namespace

Result<void> check_success(const http::Response& response, const Outgoing& outgoing, WallTime now) {
    if (!is_success(response.status))
        return error_of(response, outgoing, now);
    if (is_html(response))
        return undecided(response.status,
                         " with an HTML page instead of an API response; check spec.baseURL");
    const auto document = parsed_body(response);
    if (document && says_failure(*document))
        return Error{.kind = ErrorClass::refused,
                     .message = answered(response.status) + ", but no success" +
                                explanation(response, outgoing),
                     .http_status = response.status};
    const bool done = response.status == 200 || response.status == 204;
    const bool empty = response.body.expose().empty();
    if (done && (empty || (document && says_success(*document))))
        return {};
    return undecided(response.status, ", which does not say that it was done" +
                                          (empty ? "" : explanation(response, outgoing)));
}

Error error_of(const http::Response& response, const Outgoing& outgoing, WallTime now) {
    const int status = response.status;
    Error error;
    error.kind = class_of(status);
    error.http_status = status;
    error.sent = is_definite(status) ? Sent::no : Sent::maybe;
    if (status == 429 || status == 503)
        error.retry_after = http::parse_retry_after(response.header("retry-after"), now);
    error.message = answered(status);
    if (status >= 300 && status < 400)
        error.message += ", a redirect, which is never followed; check spec.baseURL";
    else
        error.message += explanation(response, outgoing);
    return error;
}

Error without_repeats(Error error, const Outgoing& outgoing) {
    if (error.kind == ErrorClass::tls && repeats_any(error.message, outgoing))
        error.message = "the server's certificate is not trusted (the names in it are withheld: "
                        "they repeat part of what was sent)";
    return error;
}

} // namespace oco::omni
