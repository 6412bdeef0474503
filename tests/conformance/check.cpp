#include "check.hpp"

namespace oco::conformance {
namespace {

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const auto& part : parts)
        out += (out.empty() ? "" : ", ") + part;
    return "[" + out + "]";
}

std::string place(const std::source_location& where) {
    const std::string_view file = where.file_name();
    return std::string(file.substr(file.rfind('/') + 1)) + ":" + std::to_string(where.line());
}

} // namespace

Failure::Failure(const std::string& what, const std::source_location& where)
    : std::runtime_error(place(where) + ": " + what) {}

void check(bool holds, const std::string& what, Where where) {
    if (!holds)
        throw Failure(what, where);
}

void check_equal(std::string_view found, std::string_view wanted, const std::string& what,
                 Where where) {
    if (found != wanted)
        throw Failure(what + ": " + std::string(found) + ", not " + std::string(wanted), where);
}

void check_equal(const std::vector<std::string>& found, const std::vector<std::string>& wanted,
                 const std::string& what, Where where) {
    check_equal(joined(found), joined(wanted), what, where);
}

void fail_with(const Error& error, Where where) {
    throw Failure(error.message + " (" + std::to_string(error.http_status) + ")", where);
}

void check_error(const Error& error, int status, std::string_view part, Where where) {
    check(error.http_status == status,
          "status " + std::to_string(error.http_status) + ", not " + std::to_string(status) + ": " +
              error.message,
          where);
    check(error.message.find(part) != std::string::npos,
          "the message does not say \"" + std::string(part) + "\": " + error.message, where);
}

} // namespace oco::conformance
