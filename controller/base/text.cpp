#include "base/text.hpp"

#include "base/utf8.hpp"

#include <algorithm>
#include <unordered_set>

namespace oco {
namespace {

// C0, DEL, and C1 (U+0080..U+009F, two bytes in UTF-8) can drive a terminal.
bool is_control(std::string_view character) {
    const auto lead = static_cast<unsigned char>(character[0]);
    if (character.size() == 1)
        return lead < 0x20 || lead == 0x7F;
    return character.size() == 2 && lead == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

} // namespace

std::string printable(std::string_view text, std::size_t limit) {
    constexpr std::string_view ellipsis = "...";
    std::string out;
    std::size_t last_fit = 0; // where to cut so that the ellipsis still fits
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        std::string_view character = length == 0 ? "?" : text.substr(0, length);
        if (length != 0 && is_control(character))
            character = " ";
        text.remove_prefix(std::max<std::size_t>(length, 1));
        if (character == " " && (out.empty() || out.back() == ' '))
            continue;
        if (out.size() + character.size() > limit) {
            out.resize(last_fit);
            return out.append(ellipsis);
        }
        out.append(character);
        if (out.size() + ellipsis.size() <= limit)
            last_fit = out.size();
    }
    if (!out.empty() && out.back() == ' ')
        out.pop_back();
    return out;
}

bool shares_run(std::string_view text, std::string_view secret, std::size_t run) {
    if (secret.empty() || text.empty())
        return false;
    if (secret.size() < run)
        return text.find(secret) != std::string_view::npos;
    if (text.size() < run)
        return false;
    std::unordered_set<std::string_view> runs;
    runs.reserve(text.size());
    for (std::size_t i = 0; i + run <= text.size(); ++i)
        runs.insert(text.substr(i, run));
    for (std::size_t i = 0; i + run <= secret.size(); ++i)
        if (runs.contains(secret.substr(i, run)))
            return true;
    return false;
}

std::string list_some(const std::vector<std::string>& items, std::size_t most) {
    std::string out;
    for (std::size_t i = 0; i < items.size() && i < most; ++i)
        out.append(i == 0 ? "" : ", ").append(items[i]);
    if (items.size() > most)
        out += " and " + std::to_string(items.size() - most) + " more";
    return out;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view spaces = " \t\r\n\v\f";
    const auto first = text.find_first_not_of(spaces);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
    });
    return out;
}

} // namespace oco
