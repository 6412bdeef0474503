// Text for people to read: short, printable, and free of credentials that were sent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace oco {

inline constexpr std::size_t max_message_bytes = 512;

// Control characters and broken UTF-8 become spaces or '?', runs of spaces one; at most `limit`
// bytes, cut between characters with "..." at the end.
std::string printable(std::string_view text, std::size_t limit = max_message_bytes);

// Whether the two share a run of at least `run` bytes. A `secret` shorter than `run` is found
// whole.
bool shares_run(std::string_view text, std::string_view secret, std::size_t run = 8);

// "a, b and 3 more"
std::string list_some(const std::vector<std::string>& items, std::size_t most);

std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);

} // namespace oco
