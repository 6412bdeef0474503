#include "omni/connection_list.hpp"

#include "base/json.hpp"
#include "base/text.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
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

// Longer than any text that the CRDs take (except for values): what is cut off there equals none of
// them.
constexpr std::size_t max_text_bytes = 4096;
// Of all values of one connection: more than an object can hold.
constexpr std::size_t max_values_bytes = std::size_t{4} << 20;

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

// Takes the parser's events, so that the JSON never becomes a tree. `depth_` counts the open
// containers; an entry's members are at `entry_depth()`.
class ConnectionHandler {
  public:
    using string_view = boost::json::string_view;
    using error_code = boost::json::error_code;

    // The parser's own bounds: texts are bounded here, containers by what is kept of them.
    static constexpr std::size_t max_object_size = std::size_t(-1);
    static constexpr std::size_t max_array_size = std::size_t(-1);
    static constexpr std::size_t max_key_size = std::size_t(-1);
    static constexpr std::size_t max_string_size = std::size_t(-1);

    // `memory`: null: without a bound, since the text has one.
    ConnectionHandler(Shape shape, ListMemory::Share* memory) : shape_(shape), memory_(memory) {}

    // Whether the documented member was there.
    [[nodiscard]] bool documented() const { return documented_; }

    // What there was too much of; empty: nothing.
    [[nodiscard]] const std::string& excess() const { return excess_; }

    std::vector<ConnectionInfo>& connections() { return connections_; }

    bool on_document_begin(error_code& /*ec*/) { return true; }

    bool on_document_end(error_code& /*ec*/) { return true; }

    bool on_object_begin(error_code& /*ec*/) {
        if (depth_ == 1 && matches_ && shape_ == Shape::single)
            enter();
        if (inside_ && depth_ + 1 == entry_depth())
            begin_entry();
        ++depth_;
        return true;
    }

    bool on_object_end(std::size_t /*members*/, error_code& ec) {
        if (at_member() && !finish_entry()) {
            ec = boost::json::error::array_too_large;
            return false;
        }
        leave();
        return fits(ec);
    }

    bool on_array_begin(error_code& /*ec*/) {
        if (depth_ == 1 && matches_ && shape_ == Shape::list)
            enter();
        if (at_member() && member_ == Member::values) {
            in_values_ = true;
            forget_values(ValuesForm::list);
        }
        ++depth_;
        return true;
    }

    bool on_array_end(std::size_t /*elements*/, error_code& /*ec*/) {
        leave();
        if (depth_ == entry_depth())
            in_values_ = false;
        return true;
    }

    bool on_key_part(string_view part, std::size_t /*so_far*/, error_code& /*ec*/) {
        collect(part, max_text_bytes);
        return true;
    }

    bool on_key(string_view last, std::size_t /*size*/, error_code& /*ec*/) {
        collect(last, max_text_bytes);
        if (depth_ == 1)
            matches_ = text_ == (shape_ == Shape::list ? "connections" : "connection");
        else if (at_member())
            member_ = member_of(text_);
        text_.clear();
        return true;
    }

    bool on_string_part(string_view part, std::size_t /*so_far*/, error_code& ec) {
        if (at_member() || at_value())
            collect(part, is_value() ? max_values_bytes + 1 : max_text_bytes);
        return fits(ec);
    }

    bool on_string(string_view last, std::size_t size, error_code& ec) {
        if (!on_string_part(last, size, ec))
            return false;
        if (at_member())
            take(std::exchange(text_, {}));
        else if (at_value())
            add_value(std::exchange(text_, {}));
        return true;
    }

    bool on_null(error_code& /*ec*/) {
        if (at_member() && member_ == Member::attribute)
            attribute_told_ = true;
        return true;
    }

    bool on_bool(bool value, error_code& /*ec*/) {
        if (at_member() && member_ == Member::deleted_at)
            entry_.deleted = value;
        return true;
    }

    bool on_number_part(string_view /*text*/, error_code& /*ec*/) { return true; }

    bool on_int64(std::int64_t /*value*/, string_view /*text*/, error_code& /*ec*/) {
        return number();
    }

    bool on_uint64(std::uint64_t /*value*/, string_view /*text*/, error_code& /*ec*/) {
        return number();
    }

    bool on_double(double /*value*/, string_view /*text*/, error_code& /*ec*/) { return number(); }

    bool on_comment_part(string_view /*text*/, error_code& /*ec*/) { return true; }

    bool on_comment(string_view /*text*/, error_code& /*ec*/) { return true; }

  private:
    [[nodiscard]] std::size_t entry_depth() const { return shape_ == Shape::list ? 3 : 2; }

    // In an entry, at its own members. (The depth alone would not do: an array in the place of an
    // entry has strings there.)
    [[nodiscard]] bool at_member() const { return in_entry_ && depth_ == entry_depth(); }

    // In the list of values.
    [[nodiscard]] bool at_value() const { return in_values_ && depth_ == entry_depth() + 1; }

    // In one of them, or in the string that has them all.
    [[nodiscard]] bool is_value() const { return in_values_ || member_ == Member::values; }

    // False, which stops the parser, when there is no memory for more.
    bool fits(error_code& ec) {
        if (memory_ == nullptr ||
            memory_->resize(kept_bytes_ + text_.size() + std::min(values_bytes_, max_values_bytes)))
            return true;
        excess_ = "too long to be kept, beside those of other keys";
        ec = boost::json::error::array_too_large;
        return false;
    }

    void collect(string_view part, std::size_t most) {
        text_.append(part.substr(0, most - std::min(most, text_.size())));
    }

    bool number() {
        if (at_member() && member_ == Member::deleted_at)
            entry_.deleted = true;
        return true;
    }

    void forget_values(ValuesForm form) {
        values_form_ = form;
        values_bytes_ = 0;
        values_.clear();
    }

    void add_value(std::string text) {
        values_bytes_ += text.size() + sizeof(std::string);
        if (values_bytes_ <= max_values_bytes)
            values_.push_back(std::move(text));
    }

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
        forget_values(ValuesForm::list);
        attribute_name_.clear();
    }

    void take(std::string text) {
        switch (member_) {
        case Member::id:
            entry_.id = std::move(text);
            break;
        case Member::name:
            entry_.name = std::move(text);
            break;
        case Member::dialect:
            entry_.dialect = std::move(text);
            break;
        case Member::deleted_at:
            entry_.deleted = !text.empty();
            break;
        case Member::base_role:
            entry_.base_role = std::move(text);
            break;
        case Member::attribute: // with both spellings, the one that names something
            attribute_told_ = true;
            if (!text.empty())
                attribute_name_ = std::move(text);
            break;
        case Member::values:
            forget_values(ValuesForm::joined);
            for (auto& value : split_values(text))
                add_value(std::move(value));
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
                attribute.form = values_form_;
                if (values_bytes_ <= max_values_bytes)
                    attribute.values = fingerprint_of(values_, values_form_);
            }
        }
        forget_values(ValuesForm::list);
        if (connections_.size() == max_connections) {
            excess_ = "longer than " + std::to_string(max_connections) + " connections";
            return false;
        }
        kept_bytes_ += size_of(entry_);
        connections_.push_back(std::move(entry_));
        return true;
    }

    static std::size_t size_of(const ConnectionInfo& info) {
        constexpr std::size_t node = 128; // of the map that it is kept in, with the id once more
        std::size_t size =
            sizeof info + node + info.id.size() + info.name.size() + info.dialect.size();
        if (info.base_role)
            size += info.base_role->size();
        if (info.environment_user_attribute)
            size += info.environment_user_attribute->attribute_name.size();
        return size;
    }

    Shape shape_;
    ListMemory::Share* memory_;
    std::size_t depth_ = 0;
    bool matches_ = false;    // the last member of the root is the documented one
    bool documented_ = false; // it was there, and of the documented type
    bool inside_ = false;     // within it
    bool in_entry_ = false;
    bool in_values_ = false;
    bool attribute_told_ = false;
    Member member_ = Member::other;
    ConnectionInfo entry_;
    std::string text_; // the part of a key or a string that has arrived
    std::string attribute_name_;
    ValuesForm values_form_ = ValuesForm::list;
    std::size_t values_bytes_ = 0;
    std::vector<std::string> values_;
    std::string excess_;
    std::size_t kept_bytes_ = 0;
    std::vector<ConnectionInfo> connections_;
};

using JsonParser = boost::json::basic_parser<ConnectionHandler>;

boost::json::parse_options parse_options() {
    boost::json::parse_options options;
    options.max_depth = json::max_depth;
    return options;
}

// False once it is no JSON, or the handler has had enough.
bool feed(JsonParser& parser, std::string_view bytes) {
    boost::json::error_code ec;
    const auto used = parser.done() ? 0 : parser.write_some(true, bytes.data(), bytes.size(), ec);
    return !ec && trim(bytes.substr(used)).empty();
}

bool finish(JsonParser& parser) {
    boost::json::error_code ec;
    if (!parser.done())
        parser.write_some(false, "", 0, ec);
    return !ec && parser.done() && parser.handler().documented();
}

Error unusable(ErrorClass kind, int http_status, const std::string& why) {
    Error error = make_error(kind, "Omni's response to GET " + why);
    error.http_status = http_status;
    return error;
}

} // namespace

struct ConnectionListReader::Parser {
    explicit Parser(ListMemory::Share& memory) : json(parse_options(), Shape::list, &memory) {}

    JsonParser json;
    bool failed = false;
};

ConnectionListReader::ConnectionListReader(ListMemory::Share& memory)
    : parser_(std::make_unique<Parser>(memory)) {}

ConnectionListReader::~ConnectionListReader() = default;

bool ConnectionListReader::feed(std::string_view bytes) {
    parser_->failed = parser_->failed || !omni::feed(parser_->json, bytes);
    return !parser_->failed;
}

Result<std::vector<ConnectionInfo>> ConnectionListReader::finish(int http_status) {
    auto& handler = parser_->json.handler();
    if (!handler.excess().empty())
        return unusable(ErrorClass::too_large, http_status,
                        "/api/v1/connections is " + handler.excess());
    if (parser_->failed || !omni::finish(parser_->json))
        return unusable(ErrorClass::unavailable, http_status,
                        "/api/v1/connections is not the documented JSON");
    return std::move(handler.connections());
}

Result<ConnectionInfo> parse_connection(const http::Response& response) {
    JsonParser parser(parse_options(), Shape::single, nullptr);
    const bool read = feed(parser, response.body.expose()) && finish(parser);
    auto& connections = parser.handler().connections();
    if (!read || connections.empty())
        return unusable(ErrorClass::unavailable, response.status,
                        "/api/v1/connections/{id} is not the documented JSON");
    return std::move(connections.front());
}

} // namespace oco::omni
