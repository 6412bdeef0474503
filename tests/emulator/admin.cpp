#include "admin.hpp"

#include <charconv>

namespace emulator {
namespace {

Answer ok() {
    return {.body = R"({"ok":true})"};
}

Answer bad(const Problem& mistake) {
    return error_answer(400, mistake.message);
}

Answer bad(std::string message) {
    return error_answer(400, message);
}

Answer not_allowed(std::string_view allowed) {
    Answer answer = error_answer(405, "allowed methods: " + std::string(allowed));
    answer.headers.emplace_back("Allow", allowed);
    return answer;
}

bool is_set(const Target& target, const std::string& name) {
    const auto found = target.query.find(name);
    return found != target.query.end() && (found->second == "1" || found->second == "true");
}

Credentials credentials_for(const Target& target) {
    return is_set(target, "mask") ? Credentials::masked : Credentials::plain;
}

Answer answer_requests(Engine& engine, const Request& request, const Target& target) {
    if (request.method == "DELETE") {
        engine.journal().clear_entries();
        return ok();
    }
    if (request.method != "GET")
        return not_allowed("GET, DELETE");
    std::uint64_t since = 0;
    if (const auto found = target.query.find("since"); found != target.query.end()) {
        const auto& text = found->second;
        const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), since);
        if (failure != std::errc{} || end != text.data() + text.size()) {
            return bad("since must be a whole number");
        }
    }
    return {.body = engine.journal().entries_json(since, credentials_for(target))};
}

Answer answer_connections(Engine& engine, const Request& request, const Target& target) {
    if (request.method != "GET")
        return not_allowed("GET");
    return {.body = to_json([&](JsonWriter& writer) {
                writer.StartObject();
                writer.Key("connections");
                writer.StartArray();
                for (const auto& [id, connection] : engine.model().connections()) {
                    write_state(writer, connection, credentials_for(target));
                }
                writer.EndArray();
                writer.EndObject();
            })};
}

Answer put_connection(Engine& engine, const std::string& id, const Request& request, Now now) {
    auto document = parse_json(request.body);
    if (!document)
        return bad(document.error());
    if (!document->IsObject())
        return bad("a connection must be an object");
    if (!member(*document, "id")) {
        document->AddMember("id", rapidjson::Value(id.c_str(), document->GetAllocator()),
                            document->GetAllocator());
    }
    auto connection = decode_connection(*document, format_time(now.wall));
    if (!connection)
        return bad(connection.error());
    if (connection->id != id)
        return bad("id differs from the one in the path");
    engine.model().put_connection(std::move(*connection));
    return ok();
}

Answer answer_connection(Engine& engine, const std::string& id, const Request& request,
                         const Target& target, Now now) {
    if (!is_uuid(id))
        return bad("the connection id in the path must be a UUID");
    if (request.method == "PUT")
        return put_connection(engine, id, request, now);
    if (request.method == "DELETE") {
        auto& model = engine.model();
        const bool found = is_set(target, "purge")
                               ? model.purge_connection(id)
                               : model.delete_connection(id, format_time(now.wall));
        return found ? ok() : error_answer(404, "no such connection");
    }
    return not_allowed("PUT, DELETE");
}

Answer replace_faults(Engine& engine, const rapidjson::Value& value) {
    const rapidjson::Value* list = &value;
    if (value.IsObject()) {
        if (auto text = unexpected_member(value, {"faults"}); !text.empty())
            return bad(text);
        list = member(value, "faults");
    }
    if (!list || !list->IsArray())
        return bad("faults must be a list");
    std::vector<Fault> faults;
    for (const auto& item : list->GetArray()) {
        auto fault = decode_fault(item);
        if (!fault) {
            return bad("fault " + std::to_string(faults.size()) + ": " + fault.error().message);
        }
        faults.push_back(std::move(*fault));
    }
    return engine.faults().replace(std::move(faults)) ? ok() : bad("too many faults");
}

Answer answer_faults(Engine& engine, const Request& request) {
    if (request.method == "DELETE") {
        engine.faults().clear();
        return ok();
    }
    if (request.method == "GET") {
        return {.body = to_json([&](JsonWriter& writer) {
                    writer.StartObject();
                    writer.Key("faults");
                    writer.StartArray();
                    for (const auto& fault : engine.faults().all())
                        write_fault(writer, fault);
                    writer.EndArray();
                    writer.EndObject();
                })};
    }
    if (request.method != "PUT" && request.method != "POST") {
        return not_allowed("GET, PUT, POST, DELETE");
    }
    const auto document = parse_json(request.body);
    if (!document)
        return bad(document.error());
    if (request.method == "PUT")
        return replace_faults(engine, *document);
    auto fault = decode_fault(*document);
    if (!fault)
        return bad(fault.error());
    return engine.faults().add(std::move(*fault)) ? ok() : bad("too many faults");
}

Answer answer_tokens(Engine& engine, const Request& request) {
    if (request.method != "PUT")
        return not_allowed("PUT");
    const auto document = parse_json(request.body);
    if (!document)
        return bad(document.error());
    if (!document->IsObject())
        return bad("an object with a list \"tokens\" is expected");
    if (auto text = unexpected_member(*document, {"tokens"}); !text.empty())
        return bad(text);
    const auto* list = member(*document, "tokens");
    if (!list)
        return bad("tokens is required");
    auto tokens = decode_tokens(*list);
    if (!tokens)
        return bad(tokens.error());
    engine.model().set_tokens(std::move(*tokens));
    return ok();
}

Result<Limits> decode_limits(const rapidjson::Value& value, Limits limits) {
    if (!value.IsObject())
        return problem("an object is expected");
    const auto unexpected =
        unexpected_member(value, {"requestsPerMinute", "rateWindow", "countRefused"});
    if (!unexpected.empty())
        return problem(unexpected);
    std::uint64_t number = limits.requests_per_minute;
    std::string window = limits.window == RateWindow::fixed ? "fixed" : "sliding";
    auto read = read_number(value, "requestsPerMinute", 1, 1'000'000, number);
    if (read)
        read = read_string(value, "rateWindow", window);
    if (read)
        read = read_flag(value, "countRefused", limits.count_refused);
    if (!read)
        return read.error();
    if (window != "sliding" && window != "fixed") {
        return problem("rateWindow must be sliding or fixed");
    }
    limits.requests_per_minute = number;
    limits.window = window == "fixed" ? RateWindow::fixed : RateWindow::sliding;
    return limits;
}

Answer answer_limits(Engine& engine, const Request& request) {
    if (request.method == "GET") {
        const Limits& limits = engine.limiter().limits();
        return {.body = to_json([&](JsonWriter& writer) {
                    writer.StartObject();
                    put(writer, "requestsPerMinute", std::uint64_t{limits.requests_per_minute});
                    put(writer, "rateWindow",
                        limits.window == RateWindow::fixed ? "fixed" : "sliding");
                    put_flag(writer, "countRefused", limits.count_refused);
                    writer.EndObject();
                })};
    }
    if (request.method != "PUT")
        return not_allowed("GET, PUT");
    const auto document = parse_json(request.body);
    if (!document)
        return bad(document.error());
    const auto limits = decode_limits(*document, engine.limiter().limits());
    if (!limits)
        return bad(limits.error());
    engine.limiter().set_limits(*limits);
    return ok();
}

Answer answer_stats(Engine& engine, const Request& request) {
    if (request.method != "GET")
        return not_allowed("GET");
    return {.body = engine.journal().statistics_json(engine.limiter().max_in_window())};
}

Answer answer_reset(Engine& engine, const Request& request) {
    if (request.method != "POST")
        return not_allowed("POST");
    engine.reset();
    return ok();
}

} // namespace

Answer answer_admin(Engine& engine, const Request& request, Now now) {
    if (request.body_too_large)
        return error_answer(413, "Request body is over 1 MiB");
    const Target target = parse_target(request.target);
    const auto name = target.path.substr(std::min(admin_prefix.size(), target.path.size()));
    constexpr std::string_view connection_prefix = "connections/";
    if (name.starts_with(connection_prefix)) {
        const auto id = lower_case(std::string_view(name).substr(connection_prefix.size()));
        return answer_connection(engine, id, request, target, now);
    }
    if (name == "connections")
        return answer_connections(engine, request, target);
    if (name == "requests")
        return answer_requests(engine, request, target);
    if (name == "faults")
        return answer_faults(engine, request);
    if (name == "tokens")
        return answer_tokens(engine, request);
    if (name == "limits")
        return answer_limits(engine, request);
    if (name == "stats")
        return answer_stats(engine, request);
    if (name == "reset")
        return answer_reset(engine, request);
    return error_answer(404, "no such admin path");
}

} // namespace emulator
