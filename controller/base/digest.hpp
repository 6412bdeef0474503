// Keyed digests: whether a value changed, without keeping the value.
#pragma once

#include "base/secret_bytes.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace oco {

// HMAC-SHA-256 over the parts, each preceded by its length (8 bytes, big endian), so that no two
// lists of parts give the same input. Lower-case hex, 64 characters.
std::string keyed_digest(const SecretBytes& key, std::initializer_list<std::string_view> parts);

// Plain SHA-256 of the bytes, lower-case hex, cut to `hex_characters`.
std::string fingerprint(std::string_view bytes, std::size_t hex_characters = 64);

} // namespace oco
