// Wall-clock times and durations as Kubernetes writes them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace oco {

using WallTime = std::chrono::system_clock::time_point;

// "2026-11-24T20:24:51Z", whole seconds (metav1.Time).
std::string format_rfc3339(WallTime time);
// The same with microseconds (metav1.MicroTime), as Leases and Events have it.
std::string format_rfc3339_micro(WallTime time);
// Both forms, any fraction, "Z" or an offset.
std::optional<WallTime> parse_rfc3339(std::string_view text);
// "Tue, 24 Nov 2026 20:24:51 GMT" (RFC 9110, section 5.6.7).
std::string format_http_date(WallTime time);
// That form, and the two obsolete ones that a recipient must take too: RFC 850's
// ("Tuesday, 24-Nov-26 20:24:51 GMT") and asctime()'s ("Tue Nov 24 20:24:51 2026").
std::optional<WallTime> parse_http_date(std::string_view text);

// "1h30m", "1.5h", "45s", "0s": Go's notation, units h, m and s, at most three decimals. What is
// less than a second is dropped. At most 10 years.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

} // namespace oco
