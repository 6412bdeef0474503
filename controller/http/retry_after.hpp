// Retry-After (RFC 9110, section 10.2.3). Pure.
#pragma once

#include "base/time.hpp"

namespace oco::http {

inline constexpr std::chrono::seconds longest_retry_after = std::chrono::minutes(10);

// How long to wait according to the header's value, whole seconds or an HTTP date: more than zero,
// at most longest_retry_after. nullopt if it is malformed, zero or in the past: the caller's own
// backoff then applies.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, WallTime now);

} // namespace oco::http
