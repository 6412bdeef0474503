#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator {

/// What of an HTTP request matters here.
struct Request {
    std::string method;
    std::string target; ///< path and query, as sent
    std::optional<std::string> authorization;
    std::string content_type;
    std::string body;
    bool body_too_large = false; ///< over the limit: the body was not read
};

/// What is answered. `headers` take the place of the default ones of the same name.
struct Answer {
    unsigned status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers{};
};

/// A request's target, taken apart. The path stays as it was sent; the query is percent-decoded,
/// and of a name given twice the last counts.
struct Target {
    std::string path;
    std::map<std::string, std::string> query;
};

Target parse_target(std::string_view target);

/// The id in `/api/v1/connections/{id}`, in lower case; empty for every other path.
std::string connection_id_of(std::string_view path);

std::string lower_case(std::string_view text);
bool is_uuid(std::string_view text);

/// The shape of every error of Omni: `{"error": "<HTTP code>", "message": "..."}`.
Answer error_answer(unsigned status, std::string_view message);

} // namespace emulator
