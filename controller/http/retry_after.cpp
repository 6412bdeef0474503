#include "http/retry_after.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>

namespace oco::http {
namespace {

// Digits only. More than an int holds are as good as the most.
std::chrono::seconds whole_seconds(std::string_view digits) {
    int seconds = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    return read.ec == std::errc{} ? std::chrono::seconds(seconds) : longest_retry_after;
}

std::optional<std::chrono::seconds> seconds_until(std::string_view date, WallTime now) {
    const auto when = parse_http_date(date);
    if (!when || *when <= now)
        return std::nullopt;
    // Compared before it is subtracted: the clock need not hold the difference.
    if (now < *when - longest_retry_after)
        return longest_retry_after;
    return std::chrono::ceil<std::chrono::seconds>(*when - now);
}

} // namespace

std::optional<std::chrono::seconds> parse_retry_after(std::string_view value, WallTime now) {
    value = trim(value);
    const bool digits =
        !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
    const auto wait = digits ? whole_seconds(value) : seconds_until(value, now);
    if (!wait || *wait <= std::chrono::seconds(0))
        return std::nullopt;
    return std::min(*wait, longest_retry_after);
}

} // namespace oco::http
