// JSON, over RapidJSON: bounded parsing of what comes from outside, small readers, a writer.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <optional>
#include <string>
#include <string_view>

namespace oco::json {

// An allocator for RapidJSON that wipes each block before it is freed: documents may hold Secrets.
class WipingAllocator {
  public:
    static constexpr bool kNeedFree = true;
    static void* Malloc(std::size_t size);
    static void* Realloc(void* block, std::size_t old_size, std::size_t new_size);
    static void Free(void* block) noexcept;
};

using Pool = rapidjson::MemoryPoolAllocator<WipingAllocator>;
using Document = rapidjson::GenericDocument<rapidjson::UTF8<>, Pool, WipingAllocator>;
using Value = Document::ValueType;

inline constexpr std::size_t max_depth = 64;

// Iterative parsing (no stack overflow) to `max_depth`. The error names the offset, not the text.
Result<Document> parse(std::string_view text);

// The member `name` of an object; nullptr when `value` is no object or has no such member.
const Value* find(const Value& value, std::string_view name);
// A path of members. nullptr as above.
const Value* find(const Value& value, std::initializer_list<std::string_view> path);

// Readers that yield an empty value where the member is absent, null or of another type.
std::string_view string_at(const Value& value, std::string_view name);
std::string_view string_at(const Value& value, std::initializer_list<std::string_view> path);
std::optional<std::int64_t> int_at(const Value& value, std::string_view name);
std::optional<bool> bool_at(const Value& value, std::string_view name);

inline std::string_view text_of(const Value& value) {
    return value.IsString() ? std::string_view(value.GetString(), value.GetStringLength())
                            : std::string_view();
}

// A writer into memory that is wiped; `field()` starts a member, `member()` writes one whole. Only
// what must be escaped is, and bytes from 0x80 are copied: texts must be UTF-8.
class Writer {
  public:
    Writer& begin_object() { return writer_.StartObject(), *this; }

    Writer& end_object() { return writer_.EndObject(), *this; }

    Writer& begin_array() { return writer_.StartArray(), *this; }

    Writer& end_array() { return writer_.EndArray(), *this; }

    Writer& field(std::string_view name) {
        writer_.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
        return *this;
    }

    Writer& value(std::string_view text) {
        writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
        return *this;
    }

    Writer& value(const char* text) { return value(std::string_view(text)); }

    Writer& value(std::int64_t number) { return writer_.Int64(number), *this; }

    Writer& value(int number) { return writer_.Int(number), *this; }

    Writer& value(bool flag) { return writer_.Bool(flag), *this; }

    Writer& value(const Value& v) { return v.Accept(writer_), *this; }

    Writer& null() { return writer_.Null(), *this; }

    template<class T>
    Writer& member(std::string_view name, const T& v) {
        return field(name), value(v);
    }

    // A string member, or null when it is empty: what a merge patch takes as "remove".
    Writer& member_or_null(std::string_view name, std::string_view text) {
        return text.empty() ? field(name).null() : member(name, text);
    }

    [[nodiscard]] std::string_view view() const { return {buffer_.GetString(), buffer_.GetSize()}; }

    [[nodiscard]] std::string str() const { return std::string(view()); }

  private:
    using Buffer = rapidjson::GenericStringBuffer<rapidjson::UTF8<>, WipingAllocator>;
    Buffer buffer_;
    rapidjson::Writer<Buffer> writer_{buffer_};
};

} // namespace oco::json
