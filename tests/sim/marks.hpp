// Values that tell which OmniConnection they belong to, so that what arrives at Omni can be traced
// back to its sender. Objects have numbers for that.
#pragma once

#include "push.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace oco::sim {

// The numbers of objects are below this.
inline constexpr int most_objects = 12;
inline constexpr int roles_of_each = 4;

// A credential. Its beginning, "confidential-", must never be seen anywhere. `tail` makes it
// unique.
std::string marked_credential(int object, std::string_view tail);
// The name of a custom role; `choice` is below roles_of_each.
std::string marked_role(int object, int choice);
// The name of a user attribute.
std::string marked_attribute(int object);

// Of a PATCH; nullopt when nothing in it tells.
std::optional<int> sender_of(const Push& push);

} // namespace oco::sim
