// What a case asserts with: a Failure ends it.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

namespace oco::conformance {

class Failure : public std::runtime_error {
  public:
    Failure(const std::string& what, const std::source_location& where);
};

using Where = std::source_location;

void check(bool holds, const std::string& what, Where where = Where::current());
void check_equal(std::string_view found, std::string_view wanted, const std::string& what,
                 Where where = Where::current());
void check_equal(const std::vector<std::string>& found, const std::vector<std::string>& wanted,
                 const std::string& what, Where where = Where::current());

[[noreturn]] void fail_with(const Error& error, Where where);

// The value of what has to succeed.
template<class T>
T must(Result<T> result, Where where = Where::current()) {
    if (!result)
        fail_with(result.error(), where);
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

// What has to be refused by the server: with this status, and a message that holds `part`.
void check_error(const Error& error, int status, std::string_view part, Where where);

template<class T>
void refused(const Result<T>& result, int status, std::string_view part = {},
             Where where = Where::current()) {
    check(!result.has_value(), "accepted, not " + std::to_string(status), where);
    check_error(result.error(), status, part, where);
}

} // namespace oco::conformance
