#pragma once

#include "json.hpp"

#include <string>
#include <string_view>

namespace emulator {

/// `‹password, 16 bytes, sha256 1a2b3c4d›`: enough to tell two values apart, not to use them.
/// The hash is cut to its first 4 bytes.
std::string mask_credential(std::string_view kind, std::string_view value);

/// Writes the body of a PATCH with nothing secret in it: strings under the two credential fields
/// become mask_credential(); `baseRole` and `environmentUserAttribute` stay; the value of any other
/// field may be a misplaced credential and becomes `‹masked›`. So does a body that is no object.
void write_masked_body(JsonWriter& writer, const rapidjson::Value& body);

} // namespace emulator
