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
    // Years that the clock's nanoseconds can't hold (it ends in 2262) would overflow them.
    constexpr std::string_view example = "Tue, 24 Nov 2026 20:24:51 GMT";
    const auto year = date.substr(std::min(date.size(), example.find("2026")), 4);
    const bool digits = year.find_first_not_of("0123456789") == std::string_view::npos;
    if (date.size() != example.size() || !digits || year < "2000" || year > "2199")
        return std::nullopt;
    const auto when = parse_http_date(date);
    if (!when || *when <= now)
        return std::nullopt;
    // Compared before it is subtracted: the difference need not fit either.
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
