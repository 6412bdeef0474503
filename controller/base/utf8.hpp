#pragma once

#include <cstddef>
#include <string_view>

namespace oco {

// The length of the character at the front of a text that is not empty; 0 where the bytes are none
// by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
std::size_t utf8_length(std::string_view text);

// Whether the bytes are UTF-8 throughout.
bool is_utf8(std::string_view text);

} // namespace oco
