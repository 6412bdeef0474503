#include "faults.hpp"

#include <algorithm>
#include <array>

namespace emulator {
namespace {

struct Action {
    std::string_view name;
    Apply apply;
    Reply reply;
};

constexpr std::array<Action, 8> actions = {{
    {"respond", Apply::never, Reply::whole},
    {"delay", Apply::now, Reply::whole},
    {"drop", Apply::never, Reply::close},
    {"drop-after-apply", Apply::now, Reply::close},
    {"hang", Apply::never, Reply::hang},
    {"hang-after-apply", Apply::now, Reply::hang},
    {"apply-late", Apply::late, Reply::close},
    {"truncate", Apply::now, Reply::half},
}};

constexpr std::uint64_t longest_delay_ms = 3'600'000;

bool takes_delay(std::string_view action) {
    return action == "delay" || action == "apply-late";
}

const Action* find_action(std::string_view name) {
    const auto* found = std::find_if(actions.begin(), actions.end(),
                                     [&](const Action& action) { return action.name == name; });
    return found == actions.end() ? nullptr : found;
}

std::string unknown_action() {
    std::string text = "action must be one of";
    for (const auto& action : actions)
        text += " " + std::string(action.name);
    return text;
}

bool is_header_name(std::string_view name) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               others.find(c) != std::string_view::npos;
    });
}

Result<void> read_headers(const rapidjson::Value& headers, Answer& answer) {
    if (!headers.IsObject())
        return problem("headers must be an object");
    for (const auto& [name, value] : headers.GetObject()) {
        if (!value.IsString())
            return problem("headers must have strings as values");
        const auto lower = lower_case(view(name));
        const auto text = view(value);
        const bool control = std::any_of(text.begin(), text.end(), [](char c) {
            return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
        });
        if (!is_header_name(lower) || control)
            return problem("headers: not a valid header");
        if (lower == "content-length" || lower == "transfer-encoding") {
            return problem("headers must not set Content-Length or Transfer-Encoding");
        }
        answer.headers.emplace_back(view(name), text);
    }
    return {};
}

Result<Answer> read_answer(const rapidjson::Value& value) {
    Answer answer;
    std::uint64_t status = 0;
    if (auto read = read_number(value, "status", 200, 599, status); !read)
        return read.error();
    if (status == 0)
        return problem("status is required by action respond");
    answer.status = static_cast<unsigned>(status);
    if (const auto* headers = member(value, "headers")) {
        if (auto read = read_headers(*headers, answer); !read)
            return read.error();
    }
    const auto* body = member(value, "body");
    if (body && body->IsString()) {
        answer.body = view(*body);
        answer.content_type = "text/html; charset=utf-8";
    } else if (body) {
        answer.body = to_json([&](JsonWriter& writer) { body->Accept(writer); });
    } else {
        answer = error_answer(answer.status, "Injected fault");
        if (const auto* headers = member(value, "headers"))
            (void)read_headers(*headers, answer);
    }
    return answer;
}

Result<void> read_match(const rapidjson::Value& value, Fault& fault) {
    auto read = read_string(value, "name", fault.name);
    if (read)
        read = read_string(value, "method", fault.method);
    if (read)
        read = read_string(value, "connectionID", fault.connection_id);
    if (read)
        read = read_string(value, "pathPrefix", fault.path_prefix);
    if (!read)
        return read;
    if (!fault.connection_id.empty() && !is_uuid(fault.connection_id)) {
        return problem("connectionID must be a UUID");
    }
    fault.connection_id = lower_case(fault.connection_id);
    if (!fault.path_prefix.empty() && fault.path_prefix.front() != '/') {
        return problem("pathPrefix must begin with /");
    }
    if (member(value, "count")) {
        std::uint64_t count = 0;
        if (read = read_number(value, "count", 0, 1'000'000'000, count); !read)
            return read;
        fault.count = count;
    }
    return {};
}

bool fits(const Fault& fault, std::string_view method, std::string_view path,
          std::string_view connection_id) {
    return fault.count != 0U && (fault.method.empty() || fault.method == method) &&
           (fault.connection_id.empty() || fault.connection_id == connection_id) &&
           path.starts_with(fault.path_prefix);
}

void write_action(JsonWriter& writer, const Fault& fault) {
    put(writer, "action", fault.action);
    if (takes_delay(fault.action)) {
        put(writer, "delayMs", static_cast<std::uint64_t>(fault.course.wait.count()));
    }
    if (!fault.course.answer)
        return;
    const Answer& answer = *fault.course.answer;
    put(writer, "status", std::uint64_t{answer.status});
    writer.Key("headers");
    writer.StartObject();
    for (const auto& [name, value] : answer.headers)
        put(writer, name.c_str(), value);
    writer.EndObject();
    writer.Key("body");
    if (answer.content_type.starts_with("text/")) {
        put(writer, answer.body);
    } else {
        writer.RawValue(answer.body.data(), answer.body.size(), rapidjson::kObjectType);
    }
}

} // namespace

Result<Fault> decode_fault(const rapidjson::Value& value) {
    if (!value.IsObject())
        return problem("a fault must be an object");
    Fault fault;
    if (auto read = read_match(value, fault); !read)
        return read.error();
    if (auto read = read_string(value, "action", fault.action); !read)
        return read.error();
    const Action* action = find_action(fault.action);
    if (!action)
        return problem(unknown_action());
    if (fault.name.empty())
        fault.name = fault.action;
    fault.course.apply = action->apply;
    fault.course.reply = action->reply;
    std::vector<std::string_view> known = {"name",  "method", "connectionID", "pathPrefix",
                                           "count", "action", "matched"};
    if (takes_delay(fault.action)) {
        known.emplace_back("delayMs");
        if (!member(value, "delayMs")) {
            return problem("delayMs is required by action " + fault.action);
        }
        std::uint64_t delay = 0;
        if (auto read = read_number(value, "delayMs", 0, longest_delay_ms, delay); !read) {
            return read.error();
        }
        fault.course.wait = std::chrono::milliseconds(delay);
    }
    if (fault.action == "respond") {
        known.insert(known.end(), {"status", "headers", "body"});
        auto answer = read_answer(value);
        if (!answer)
            return answer.error();
        fault.course.answer = std::move(*answer);
    }
    if (auto text = unexpected_member(value, known); !text.empty()) {
        return problem(text + " (action " + fault.action + ")");
    }
    return fault;
}

void write_fault(JsonWriter& writer, const Fault& fault) {
    writer.StartObject();
    put(writer, "name", fault.name);
    if (!fault.method.empty())
        put(writer, "method", fault.method);
    if (!fault.connection_id.empty())
        put(writer, "connectionID", fault.connection_id);
    if (!fault.path_prefix.empty())
        put(writer, "pathPrefix", fault.path_prefix);
    if (fault.count)
        put(writer, "count", *fault.count);
    write_action(writer, fault);
    put(writer, "matched", fault.matched);
    writer.EndObject();
}

const Fault* FaultList::match(std::string_view method, std::string_view path) {
    const std::string id = connection_id_of(path);
    for (Fault& fault : faults_) {
        if (!fits(fault, method, path, id))
            continue;
        if (fault.count)
            --*fault.count;
        ++fault.matched;
        return &fault;
    }
    return nullptr;
}

bool FaultList::replace(std::vector<Fault> faults) {
    if (faults.size() > most_faults)
        return false;
    faults_ = std::move(faults);
    return true;
}

bool FaultList::add(Fault fault) {
    if (faults_.size() >= most_faults)
        return false;
    faults_.push_back(std::move(fault));
    return true;
}

} // namespace emulator
