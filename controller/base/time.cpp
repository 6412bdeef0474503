#include "base/time.hpp"

#include <charconv>
#include <cstdio>
#include <ctime>

namespace oco {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

std::tm utc_of(WallTime time) {
    const std::time_t t = std::chrono::system_clock::to_time_t(std::chrono::floor<seconds>(time));
    std::tm parts{};
    gmtime_r(&t, &parts);
    return parts;
}

template<std::size_t N>
std::string formatted(const std::tm& parts, const char (&pattern)[N]) {
    char text[64];
    const std::size_t size = std::strftime(text, sizeof text, pattern, &parts);
    return {text, size};
}

// It counts nanoseconds in 64 bits: from 1677 to 2262.
bool clock_holds(int year) {
    return year >= 1700 && year <= 2200;
}

// Reads exactly `digits` digits and moves on.
std::optional<int> number(std::string_view& text, std::size_t digits) {
    if (text.size() < digits)
        return std::nullopt;
    int value = 0;
    const auto* end = text.data() + digits;
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end)
        return std::nullopt;
    text.remove_prefix(digits);
    return value;
}

bool skip(std::string_view& text, char c) {
    if (text.empty() || text.front() != c)
        return false;
    text.remove_prefix(1);
    return true;
}

std::optional<seconds> offset(std::string_view text) {
    if (text == "Z" || text == "z")
        return seconds(0);
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-'))
        return std::nullopt;
    const int sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
    const auto hours = number(text, 2);
    if (!hours || !skip(text, ':'))
        return std::nullopt;
    const auto minutes = number(text, 2);
    if (!minutes)
        return std::nullopt;
    return sign * seconds(*hours * 3600 + *minutes * 60);
}

microseconds fraction(std::string_view& text) {
    std::int64_t value = 0;
    int digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
        if (digits < 6) {
            value = value * 10 + (text.front() - '0');
            ++digits;
        }
        text.remove_prefix(1);
    }
    for (; digits < 6; ++digits)
        value *= 10;
    return microseconds(value);
}

} // namespace

std::string format_rfc3339(WallTime time) {
    return formatted(utc_of(time), "%Y-%m-%dT%H:%M:%SZ");
}

std::string format_rfc3339_micro(WallTime time) {
    const auto micros = std::chrono::floor<microseconds>(time.time_since_epoch()) -
                        std::chrono::floor<seconds>(time.time_since_epoch());
    char tail[16];
    const int size = std::snprintf(tail, sizeof tail, ".%06dZ", static_cast<int>(micros.count()));
    return formatted(utc_of(time), "%Y-%m-%dT%H:%M:%S") +
           std::string(tail, static_cast<std::size_t>(size));
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
    const auto year = number(text, 4);
    if (!year || !skip(text, '-'))
        return std::nullopt;
    const auto month = number(text, 2);
    if (!month || !skip(text, '-'))
        return std::nullopt;
    const auto day = number(text, 2);
    if (!day || !(skip(text, 'T') || skip(text, 't')))
        return std::nullopt;
    const auto hour = number(text, 2);
    if (!hour || !skip(text, ':'))
        return std::nullopt;
    const auto minute = number(text, 2);
    if (!minute || !skip(text, ':'))
        return std::nullopt;
    const auto second = number(text, 2);
    if (!second)
        return std::nullopt;
    const microseconds micros = skip(text, '.') ? fraction(text) : microseconds(0);
    const auto shift = offset(text);
    const std::chrono::year_month_day date(std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    if (!shift || !date.ok() || !clock_holds(*year) || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           seconds(*second) - *shift + micros;
}

std::string format_http_date(WallTime time) {
    return formatted(utc_of(time), "%a, %d %b %Y %H:%M:%S GMT");
}

std::optional<WallTime> parse_http_date(std::string_view text) {
    const std::string copy(text);
    for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", // IMF-fixdate
                             "%A, %d-%b-%y %H:%M:%S GMT", // RFC 850
                             "%a %b %e %H:%M:%S %Y"}) {   // asctime()
        std::tm parts{};
        const char* end = strptime(copy.c_str(), form, &parts);
        if (end != copy.c_str() + copy.size())
            continue;
        if (!clock_holds(1900 + parts.tm_year))
            return std::nullopt;
        return std::chrono::system_clock::from_time_t(timegm(&parts));
    }
    return std::nullopt;
}

std::optional<seconds> parse_duration(std::string_view text) {
    constexpr std::int64_t limit = std::int64_t{10} * 366 * 86400 * 1000; // in milliseconds
    if (text.empty())
        return std::nullopt;
    std::int64_t total = 0;
    while (!text.empty()) {
        std::int64_t whole = 0;
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
        if (error != std::errc{} || text.front() == '-' || whole > limit)
            return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
        std::int64_t thousandths = 0;
        if (skip(text, '.')) {
            const auto digits = text.find_first_not_of("0123456789");
            if (digits == 0 || digits == std::string_view::npos || digits > 3)
                return std::nullopt;
            thousandths = fraction(text).count() / 1000;
        }
        const std::int64_t scale = skip(text, 'h')   ? 3600
                                   : skip(text, 'm') ? 60
                                   : skip(text, 's') ? 1
                                                     : 0;
        total += (whole * 1000 + thousandths) * scale;
        if (scale == 0 || whole * 1000 > limit / scale || total > limit)
            return std::nullopt;
    }
    return std::chrono::floor<seconds>(std::chrono::milliseconds(total));
}

} // namespace oco
