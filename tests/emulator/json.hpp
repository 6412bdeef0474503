#pragma once

#include "result.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator {

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

/// Deepest nesting of objects and arrays that is accepted.
inline constexpr int max_json_depth = 32;

/// Parses strict UTF-8 JSON text without recursion; deeper than `max_json_depth` is refused.
/// The message of a Problem holds no part of the text.
Result<rapidjson::Document> parse_json(std::string_view text);

std::string_view view(const rapidjson::Value& string_value);

/// The member of an object, or nullptr.
const rapidjson::Value* member(const rapidjson::Value& object, const char* name);

/// First member of `object` whose name is not in `known` or comes twice; empty when all is well.
/// The answer is a sentence that names the member.
std::string unexpected_member(const rapidjson::Value& object,
                              const std::vector<std::string_view>& known);

/// Runs `write` on a fresh writer and returns the text it made.
std::string to_json(const std::function<void(JsonWriter&)>& write);

void put(JsonWriter& writer, std::string_view text);
void put(JsonWriter& writer, const char* key, std::string_view text);
void put(JsonWriter& writer, const char* key, std::uint64_t number);
void put_or_null(JsonWriter& writer, const char* key, std::string_view text); // empty: null
void put_flag(JsonWriter& writer, const char* key, bool flag);

/// Reads a member that must be a string. Absent leaves `target` alone; another type is a Problem.
Result<void> read_string(const rapidjson::Value& object, const char* name, std::string& target);

/// As read_string, for true and false.
Result<void> read_flag(const rapidjson::Value& object, const char* name, bool& target);

/// As read_string, for a whole number between `least` and `most`.
Result<void> read_number(const rapidjson::Value& object, const char* name, std::uint64_t least,
                         std::uint64_t most, std::uint64_t& target);

/// As read_string, for an array of strings.
Result<void> read_strings(const rapidjson::Value& object, const char* name,
                          std::vector<std::string>& target);

} // namespace emulator
