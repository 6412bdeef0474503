#include "omni/connection_list.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace oco::omni {
namespace {

bool is_usable_id(std::string_view id) {
    // It becomes a path segment, where "." and ".." would mean something else.
    constexpr std::size_t max_id_bytes = 128;
    return !id.empty() && id.size() <= max_id_bytes && std::ranges::all_of(id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_';
    });
}

std::vector<std::string> split_values(std::string_view text) {
    std::vector<std::string> values;
    if (trim(text).empty())
        return values;
    while (true) {
        const auto comma = text.find(',');
        values.emplace_back(trim(text.substr(0, comma)));
        if (comma == std::string_view::npos)
            return values;
        text.remove_prefix(comma + 1);
    }
}

enum class Member { other, id, name, dialect, deleted_at, base_role, attribute, values };

Member member_of(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, Member>, 8> known = {{
        {"id", Member::id},
        {"name", Member::name},
        {"dialect", Member::dialect},
        {"deletedAt", Member::deleted_at},
        {"baseRole", Member::base_role},
        // Two documents of Omni's, two spellings.
        {"userAttributeNameForConnectionEnvironments", Member::attribute},
        {"userAttributeNameForConnectionsEnvironments", Member::attribute},
        {"userAttributeValuesForDefaultEnvironment", Member::values},
    }};
    for (const auto& [spelling, member] : known)
        if (spelling == text)
            return member;
    return Member::other;
}

enum class Shape { list, single };

// Takes RapidJSON's events, so that 64 MiB of JSON never become a tree. `depth_` counts the open
// containers; an entry's members are at `entry_depth()`.
class ConnectionReader : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, ConnectionReader> {
  public:
    explicit ConnectionReader(Shape shape) : shape_(shape) {}

    // Whether the documented member was there.
    [[nodiscard]] bool documented() const { return documented_; }

    [[nodiscard]] bool too_many() const { return too_many_; }

    std::vector<ConnectionInfo>& connections() { return connections_; }

    // Numbers and booleans.
    bool Default() { return true; }

    bool Bool(bool value) {
        if (at_member() && member_ == Member::deleted_at)
            entry_.deleted = value;
        return true;
    }

    bool Null() {
        if (at_member() && member_ == Member::attribute)
            attribute_told_ = true;
        return true;
    }

    bool String(const char* data, rapidjson::SizeType size, bool /*copy*/) {
        const std::string_view text(data, size);
        if (at_member())
            take(text);
        else if (in_values_ && depth_ == entry_depth() + 1)
            values_.emplace_back(text);
        return true;
    }

    bool RawNumber(const char* /*data*/, rapidjson::SizeType /*size*/, bool /*copy*/) {
        if (at_member() && member_ == Member::deleted_at)
            entry_.deleted = true;
        return true;
    }

    bool Key(const char* data, rapidjson::SizeType size, bool /*copy*/) {
        const std::string_view text(data, size);
        if (depth_ == 1)
            matches_ = text == (shape_ == Shape::list ? "connections" : "connection");
        else if (at_member())
            member_ = member_of(text);
        return true;
    }

    bool StartObject() {
        if (depth_ == 1 && matches_ && shape_ == Shape::single)
            enter();
        if (inside_ && depth_ + 1 == entry_depth())
            begin_entry();
        return ++depth_ <= json::max_depth;
    }

    bool EndObject(rapidjson::SizeType /*members*/) {
        if (at_member() && !finish_entry())
            return false;
        leave();
        return true;
    }

    bool StartArray() {
        if (depth_ == 1 && matches_ && shape_ == Shape::list)
            enter();
        if (at_member() && member_ == Member::values) {
            in_values_ = true;
            values_.clear();
            entry_.values_form = ValuesForm::list;
        }
        return ++depth_ <= json::max_depth;
    }

    bool EndArray(rapidjson::SizeType /*elements*/) {
        leave();
        if (depth_ == entry_depth())
            in_values_ = false;
        return true;
    }

  private:
    [[nodiscard]] std::size_t entry_depth() const { return shape_ == Shape::list ? 3 : 2; }

    // In an entry, at its own members. (The depth alone would not do: an array in the place of an
    // entry has strings there.)
    [[nodiscard]] bool at_member() const { return in_entry_ && depth_ == entry_depth(); }

    void enter() { inside_ = documented_ = true; }

    void leave() {
        if (--depth_ == 1)
            inside_ = false;
    }

    void begin_entry() {
        in_entry_ = true;
        in_values_ = attribute_told_ = false;
        member_ = Member::other;
        entry_ = {};
        values_.clear();
        attribute_name_.clear();
    }

    void take(std::string_view text) {
        switch (member_) {
        case Member::id:
            entry_.id = text;
            break;
        case Member::name:
            entry_.name = text;
            break;
        case Member::dialect:
            entry_.dialect = text;
            break;
        case Member::deleted_at:
            entry_.deleted = !text.empty();
            break;
        case Member::base_role:
            entry_.base_role = text;
            break;
        case Member::attribute: // with both spellings, the one that names something
            attribute_told_ = true;
            if (!text.empty())
                attribute_name_ = text;
            break;
        case Member::values:
            values_ = split_values(text);
            entry_.values_form = ValuesForm::joined;
            break;
        case Member::other:
            break;
        }
    }

    // False, which stops the parser, when there are too many.
    bool finish_entry() {
        in_entry_ = false;
        if (!is_usable_id(entry_.id))
            return true;
        if (attribute_told_) {
            using State = EnvironmentUserAttribute::State;
            auto& attribute = entry_.environment_user_attribute.emplace();
            attribute.state = attribute_name_.empty() ? State::absent : State::present;
            if (attribute.state == State::present) {
                attribute.attribute_name = std::move(attribute_name_);
                attribute.default_values = std::move(values_);
            }
        }
        too_many_ = connections_.size() == max_connections;
        if (too_many_)
            return false;
        connections_.push_back(std::move(entry_));
        return true;
    }

    Shape shape_;
    std::size_t depth_ = 0;
    bool matches_ = false;    // the last member of the root is the documented one
    bool documented_ = false; // it was there, and of the documented type
    bool inside_ = false;     // within it
    bool in_entry_ = false;
    bool in_values_ = false;
    bool attribute_told_ = false;
    bool too_many_ = false;
    Member member_ = Member::other;
    ConnectionInfo entry_;
    std::string attribute_name_;
    std::vector<std::string> values_;
    std::vector<ConnectionInfo> connections_;
};

Error unusable(const http::Response& response, const std::string& why) {
    Error error = make_error(ErrorClass::unavailable, "Omni's response to GET " + why);
    error.http_status = response.status;
    return error;
}

// False when it is not the documented JSON.
bool read_connections(const http::Response& response, ConnectionReader& handler) {
    constexpr unsigned flags = rapidjson::kParseIterativeFlag |
                               rapidjson::kParseValidateEncodingFlag |
                               rapidjson::kParseNumbersAsStringsFlag; // of any length
    const auto text = response.body.expose();
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    return !reader.Parse<flags>(stream, handler).IsError() && handler.documented();
}

} // namespace

Result<std::vector<ConnectionInfo>> parse_connections(const http::Response& response) {
    ConnectionReader reader(Shape::list);
    const bool read = read_connections(response, reader);
    if (reader.too_many())
        return unusable(response, "/api/v1/connections has more than " +
                                      std::to_string(max_connections) + " connections");
    if (!read)
        return unusable(response, "/api/v1/connections is not the documented JSON");
    return std::move(reader.connections());
}

Result<ConnectionInfo> parse_connection(const http::Response& response) {
    ConnectionReader reader(Shape::single);
    if (!read_connections(response, reader) || reader.connections().empty())
        return unusable(response, "/api/v1/connections/{id} is not the documented JSON");
    return std::move(reader.connections().front());
}

} // namespace oco::omni
