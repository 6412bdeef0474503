#include "json.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <unordered_set>

namespace emulator {
namespace {

constexpr unsigned parse_flags = rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseValidateEncodingFlag |
                                 rapidjson::kParseFullPrecisionFlag;

/// Hands events on to a document and ends the parse when they nest too deeply. The parser itself
/// is iterative, but whoever walks the document later (a writer, for one) recurses.
template<class Handler>
class DepthLimit {
  public:
    explicit DepthLimit(Handler& next) : next_(next) {}

    using Size = rapidjson::SizeType;

    bool Null() { return next_.Null(); }

    bool Bool(bool value) { return next_.Bool(value); }

    bool Int(int value) { return next_.Int(value); }

    bool Uint(unsigned value) { return next_.Uint(value); }

    bool Int64(std::int64_t value) { return next_.Int64(value); }

    bool Uint64(std::uint64_t value) { return next_.Uint64(value); }

    bool Double(double value) { return next_.Double(value); }

    bool RawNumber(const char* text, Size size, bool copy) {
        return next_.RawNumber(text, size, copy);
    }

    bool String(const char* text, Size size, bool copy) { return next_.String(text, size, copy); }

    bool Key(const char* text, Size size, bool copy) { return next_.Key(text, size, copy); }

    bool StartObject() { return ++depth_ <= max_json_depth && next_.StartObject(); }

    bool StartArray() { return ++depth_ <= max_json_depth && next_.StartArray(); }

    bool EndObject(Size count) { return --depth_, next_.EndObject(count); }

    bool EndArray(Size count) { return --depth_, next_.EndArray(count); }

  private:
    Handler& next_;
    int depth_ = 0;
};

} // namespace

Result<rapidjson::Document> parse_json(std::string_view text) {
    rapidjson::Document document;
    rapidjson::ParseResult outcome;
    rapidjson::MemoryStream bytes(text.data(), text.size());
    auto generator = [&](rapidjson::Document& handler) {
        DepthLimit<rapidjson::Document> limited(handler);
        rapidjson::Reader reader;
        // Not MemoryStream itself: validation of the encoding needs a stream that knows one.
        rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
        outcome = reader.Parse<parse_flags>(stream, limited);
        return !outcome.IsError();
    };
    document.Populate(generator);
    if (!outcome.IsError())
        return document;
    if (outcome.Code() == rapidjson::kParseErrorTermination) {
        return problem("nested deeper than " + std::to_string(max_json_depth) + " levels");
    }
    return problem(std::string("not JSON at byte ") + std::to_string(outcome.Offset()) + ": " +
                   rapidjson::GetParseError_En(outcome.Code()));
}

std::string_view view(const rapidjson::Value& string_value) {
    return {string_value.GetString(), string_value.GetStringLength()};
}

const rapidjson::Value* member(const rapidjson::Value& object, const char* name) {
    const auto found = object.FindMember(name);
    return found == object.MemberEnd() ? nullptr : &found->value;
}

std::string unexpected_member(const rapidjson::Value& object,
                              const std::vector<std::string_view>& known) {
    std::unordered_set<std::string_view> seen;
    for (const auto& [name, value] : object.GetObject()) {
        const std::string_view text = view(name);
        if (std::find(known.begin(), known.end(), text) == known.end()) {
            return "unknown field \"" + std::string(text.substr(0, 100)) + "\"";
        }
        if (!seen.insert(text).second)
            return "field \"" + std::string(text) + "\" given twice";
    }
    return {};
}

std::string to_json(const std::function<void(JsonWriter&)>& write) {
    rapidjson::StringBuffer buffer;
    JsonWriter writer(buffer);
    write(writer);
    return {buffer.GetString(), buffer.GetSize()};
}

void put(JsonWriter& writer, std::string_view text) {
    writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void put(JsonWriter& writer, const char* key, std::string_view text) {
    writer.Key(key);
    put(writer, text);
}

void put(JsonWriter& writer, const char* key, std::uint64_t number) {
    writer.Key(key);
    writer.Uint64(number);
}

void put_or_null(JsonWriter& writer, const char* key, std::string_view text) {
    writer.Key(key);
    if (text.empty()) {
        writer.Null();
    } else {
        put(writer, text);
    }
}

void put_flag(JsonWriter& writer, const char* key, bool flag) {
    writer.Key(key);
    writer.Bool(flag);
}

Result<void> read_string(const rapidjson::Value& object, const char* name, std::string& target) {
    const auto* value = member(object, name);
    if (!value)
        return {};
    if (!value->IsString())
        return problem(std::string(name) + " must be a string");
    target = view(*value);
    return {};
}

Result<void> read_flag(const rapidjson::Value& object, const char* name, bool& target) {
    const auto* value = member(object, name);
    if (!value)
        return {};
    if (!value->IsBool())
        return problem(std::string(name) + " must be true or false");
    target = value->GetBool();
    return {};
}

Result<void> read_number(const rapidjson::Value& object, const char* name, std::uint64_t least,
                         std::uint64_t most, std::uint64_t& target) {
    const auto* value = member(object, name);
    if (!value)
        return {};
    if (!value->IsUint64() || value->GetUint64() < least || value->GetUint64() > most) {
        return problem(std::string(name) + " must be a whole number from " + std::to_string(least) +
                       " to " + std::to_string(most));
    }
    target = value->GetUint64();
    return {};
}

Result<void> read_strings(const rapidjson::Value& object, const char* name,
                          std::vector<std::string>& target) {
    const auto* value = member(object, name);
    if (!value)
        return {};
    const std::string complaint = std::string(name) + " must be a list of strings";
    if (!value->IsArray())
        return problem(complaint);
    std::vector<std::string> strings;
    for (const auto& item : value->GetArray()) {
        if (!item.IsString())
            return problem(complaint);
        strings.emplace_back(view(item));
    }
    target = std::move(strings);
    return {};
}

} // namespace emulator
