// Any text as Retry-After. The first byte chooses the clock: ordinary times, 1970, and the ends of
// what a clock of nanoseconds can say. A result is within (0, 600 s]; digits are always taken,
// whatever their number; nothing depends on space around.
#include "check.hpp"
#include "http/retry_after.hpp"

#include <algorithm>
#include <array>

using namespace oco;
using fuzz::require;

namespace {

constexpr std::array clocks{
    WallTime{std::chrono::seconds(1'795'551'871)}, // 2026-11-24T20:24:31Z
    WallTime{std::chrono::seconds(1'795'551'871) + std::chrono::milliseconds(500)},
    WallTime{},
    WallTime::min(),
    WallTime::max(), // last, since nothing is later
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const WallTime now = clocks[data[0] % clocks.size()];
    const auto text = fuzz::text_of(data + 1, size - 1);
    const auto wait = http::parse_retry_after(text, now);
    require(!wait || (*wait > std::chrono::seconds(0) && *wait <= http::longest_retry_after));
    require(http::parse_retry_after(" \t" + std::string(text) + " ", now) == wait);
    if (std::ranges::all_of(text, is_digit)) {
        // The clock has no part in it, and only zero is no wait.
        require(http::parse_retry_after(text, WallTime{}) == wait);
        require(wait.has_value() == std::ranges::any_of(text, [](char c) { return c != '0'; }));
        if (text.size() > 9 && text.front() != '0')
            require(wait == http::longest_retry_after);
    } else if (wait && now < clocks.back()) {
        // A date: a second later it is a second less, except for what the limit cuts.
        const auto later = http::parse_retry_after(text, now + std::chrono::seconds(1));
        require(later ? *later <= *wait && *wait - *later <= std::chrono::seconds(1)
                      : *wait == std::chrono::seconds(1));
    }
    return 0;
}
