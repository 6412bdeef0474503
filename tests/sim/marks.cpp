#include "marks.hpp"

#include <array>
#include <charconv>

namespace oco::sim {
namespace {

constexpr std::string_view credential_prefix = "confidential-password-";
constexpr std::string_view role_prefix = "role-";
constexpr std::string_view attribute_prefix = "region-";

std::optional<int> number_after(std::string_view text, std::string_view prefix) {
    int number = 0;
    if (!text.starts_with(prefix))
        return std::nullopt;
    text.remove_prefix(prefix.size());
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failed == std::errc{} ? std::optional(number) : std::nullopt;
}

} // namespace

std::string marked_credential(int object, std::string_view tail) {
    return std::string(credential_prefix) + std::to_string(object) + "-" + std::string(tail);
}

std::string marked_role(int object, int choice) {
    return std::string(role_prefix) + std::to_string(object) + "-" + std::to_string(choice);
}

std::string marked_attribute(int object) {
    return std::string(attribute_prefix) + std::to_string(object);
}

std::optional<int> sender_of(const Push& push) {
    const std::array found{
        number_after(push.value, credential_prefix), number_after(push.base_role, role_prefix),
        number_after(push.attribute ? push.attribute->name : std::string_view(), attribute_prefix)};
    for (const auto& one : found)
        if (one)
            return one;
    return std::nullopt;
}

} // namespace oco::sim
