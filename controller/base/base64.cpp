#include "base/base64.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace oco::base64 {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int16_t, 256> reverse = [] {
    std::array<std::int16_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int16_t>(i);
    return table;
}();

constexpr bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

} // namespace

Result<SecretBytes> decode(std::string_view text) {
    SecretBytes out;
    out.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t bits = 0;
    unsigned held = 0;
    std::size_t symbols = 0;
    std::size_t padding = 0;
    for (const char c : text) {
        if (is_space(c))
            continue;
        ++symbols;
        if (c == '=') {
            ++padding;
            continue;
        }
        const std::int16_t value = reverse[static_cast<unsigned char>(c)];
        if (value < 0 || padding != 0)
            return make_error(ErrorClass::invalid, "not base64");
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out.push_back(static_cast<char>((bits >> held) & 0xFF));
        }
    }
    if (symbols % 4 != 0 || padding > 2)
        return make_error(ErrorClass::invalid, "not base64: wrong length");
    return out;
}

std::string encode(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j)
            bits = (bits << 8) | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j)
            out.push_back(j <= n ? alphabet[(bits >> (18 - 6 * j)) & 0x3F] : '=');
    }
    return out;
}

} // namespace oco::base64
