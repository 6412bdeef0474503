#include "base/json.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace oco::json {
namespace {

// The block's size stands in front of it, padded so that the block keeps malloc's alignment.
constexpr std::size_t header = alignof(std::max_align_t);

std::size_t size_of(void* block) {
    std::size_t size = 0;
    std::memcpy(&size, static_cast<char*>(block) - header, sizeof size);
    return size;
}

// Counts nesting and stops the parser at max_depth. RapidJSON's iterative parser needs no call
// stack, but its consumers walk the tree recursively.
class DepthLimited {
  public:
    explicit DepthLimited(Document& document) : document_(document) {}

    bool Null() { return document_.Null(); }

    bool Bool(bool b) { return document_.Bool(b); }

    bool Int(int i) { return document_.Int(i); }

    bool Uint(unsigned i) { return document_.Uint(i); }

    bool Int64(std::int64_t i) { return document_.Int64(i); }

    bool Uint64(std::uint64_t i) { return document_.Uint64(i); }

    bool Double(double d) { return document_.Double(d); }

    bool RawNumber(const char* s, rapidjson::SizeType n, bool copy) {
        return document_.RawNumber(s, n, copy);
    }

    bool String(const char* s, rapidjson::SizeType n, bool copy) {
        return document_.String(s, n, copy);
    }

    bool StartObject() { return ++depth_ <= max_depth && document_.StartObject(); }

    bool Key(const char* s, rapidjson::SizeType n, bool copy) { return document_.Key(s, n, copy); }

    bool EndObject(rapidjson::SizeType n) { return --depth_, document_.EndObject(n); }

    bool StartArray() { return ++depth_ <= max_depth && document_.StartArray(); }

    bool EndArray(rapidjson::SizeType n) { return --depth_, document_.EndArray(n); }

  private:
    Document& document_;
    std::size_t depth_ = 0;
};

// Fills a Document from `text`. No lambda: RapidJSON keeps the name of its type, which for a lambda
// has the path of this file in it, and the binary has to be the same wherever it is built.
struct Generator {
    std::string_view text;
    rapidjson::ParseResult outcome = {};

    bool operator()(Document& target) {
        DepthLimited handler(target);
        rapidjson::MemoryStream stream(text.data(), text.size());
        rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, WipingAllocator> reader;
        outcome =
            reader.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
                stream, handler);
        return !outcome.IsError();
    }
};

} // namespace

void* WipingAllocator::Malloc(std::size_t size) {
    if (size == 0)
        return nullptr;
    auto* raw = static_cast<char*>(std::malloc(size + header));
    if (raw == nullptr)
        throw std::bad_alloc();
    std::memcpy(raw, &size, sizeof size);
    return raw + header;
}

void* WipingAllocator::Realloc(void* block, std::size_t /*old_size*/, std::size_t new_size) {
    if (new_size == 0) {
        Free(block);
        return nullptr;
    }
    void* grown = Malloc(new_size);
    if (block != nullptr) {
        std::memcpy(grown, block, std::min(size_of(block), new_size));
        Free(block);
    }
    return grown;
}

void WipingAllocator::Free(void* block) noexcept {
    if (block == nullptr)
        return;
    wipe(block, size_of(block));
    std::free(static_cast<char*>(block) - header);
}

Result<Document> parse(std::string_view text) {
    // RapidJSON takes a NUL for the end of its input.
    if (text.find('\0') != std::string_view::npos)
        return make_error(ErrorClass::invalid, "not valid JSON: it holds a NUL byte");
    Document document;
    Generator generate{.text = text};
    document.Populate(generate);
    if (generate.outcome.IsError())
        return make_error(ErrorClass::invalid,
                          "not valid JSON at byte " + std::to_string(generate.outcome.Offset()));
    return document;
}

const Value* find(const Value& value, std::string_view name) {
    if (!value.IsObject())
        return nullptr;
    for (auto it = value.MemberBegin(); it != value.MemberEnd(); ++it)
        if (text_of(it->name) == name)
            return &it->value;
    return nullptr;
}

const Value* find(const Value& value, std::initializer_list<std::string_view> path) {
    const Value* at = &value;
    for (const auto name : path)
        if (at = find(*at, name); at == nullptr)
            return nullptr;
    return at;
}

std::string_view string_at(const Value& value, std::string_view name) {
    const Value* at = find(value, name);
    return at == nullptr ? std::string_view() : text_of(*at);
}

std::string_view string_at(const Value& value, std::initializer_list<std::string_view> path) {
    const Value* at = find(value, path);
    return at == nullptr ? std::string_view() : text_of(*at);
}

std::optional<std::int64_t> int_at(const Value& value, std::string_view name) {
    const Value* at = find(value, name);
    return at != nullptr && at->IsInt64() ? std::optional(at->GetInt64()) : std::nullopt;
}

std::optional<bool> bool_at(const Value& value, std::string_view name) {
    const Value* at = find(value, name);
    return at != nullptr && at->IsBool() ? std::optional(at->GetBool()) : std::nullopt;
}

} // namespace oco::json
