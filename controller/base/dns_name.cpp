#include "base/dns_name.hpp"

#include <algorithm>

namespace oco {
namespace {

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_label_of_any_length(std::string_view name) {
    return !name.empty() && is_letter_or_digit(name.front()) && is_letter_or_digit(name.back()) &&
           std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

} // namespace

bool is_dns_label(std::string_view name) {
    constexpr std::size_t max_label = 63;
    return name.size() <= max_label && is_label_of_any_length(name);
}

bool is_dns_subdomain(std::string_view name) {
    constexpr std::size_t max_subdomain = 253;
    if (name.size() > max_subdomain)
        return false;
    for (auto dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
        if (!is_label_of_any_length(name.substr(0, dot)))
            return false;
        name.remove_prefix(dot + 1);
    }
    return is_label_of_any_length(name);
}

} // namespace oco
