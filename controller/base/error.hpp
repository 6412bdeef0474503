// The one error type of the operator, and what a caller may do about it.
#pragma once

#include <boost/assert/source_location.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace oco {

enum class ErrorClass {
    invalid,      // our input is wrong; trying again unchanged is pointless
    not_found,    // 404
    conflict,     // 409: another writer was first
    expired,      // 410: the resource version or continue token is too old; list again
    unauthorized, // 401
    forbidden,    // 403
    refused,      // 400 or 422, by the server
    rate_limited, // 429
    unavailable,  // 5xx, broken connections, timeouts: try again later
    tls,          // the peer's certificate could not be verified
    too_large,    // the answer is larger than we take: ask for less
};

inline constexpr std::size_t error_classes = static_cast<std::size_t>(ErrorClass::too_large) + 1;

// Whether the server may have received (and carried out) the failed request.
enum class Sent { no, maybe };

// `message` is built from names, numbers and library texts only; never from bodies that may hold a
// credential. Text that a server sent is added only after `omni/answer.hpp` has cleaned it.
struct Error {
    ErrorClass kind = ErrorClass::unavailable;
    std::string message;
    int http_status = 0; // 0: no response
    Sent sent = Sent::no;
    std::optional<std::chrono::seconds> retry_after = std::nullopt; // as the server asked
};

inline Error make_error(ErrorClass kind, std::string message) {
    return Error{.kind = kind, .message = std::move(message)};
}

inline Error invalid(std::string message) {
    return make_error(ErrorClass::invalid, std::move(message));
}

// What Result<T>::value() does on an error: a bug of ours, since callers check first.
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

} // namespace oco
