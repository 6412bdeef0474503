#include "omni.hpp"

#include <algorithm>

namespace oco::scenarios {
namespace {

constexpr std::string_view prefix = "confidential-";
constexpr std::string_view connections_path = "/api/v1/connections";
// So many that nobody meets the limit.
constexpr int generous = 60'000;

std::chrono::milliseconds in_milliseconds(rt::Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

void append(std::string& words, const std::string& word) {
    words += (words.empty() ? "" : " ") + word;
}

} // namespace

std::string confidential(std::string_view value) {
    const bool has_a_form = value.starts_with("-----BEGIN") || value.starts_with('{');
    return has_a_form ? std::string(value) : std::string(prefix) + std::string(value);
}

std::string plain(std::string_view text) {
    return std::string(text.starts_with(prefix) ? text.substr(prefix.size()) : text);
}

emulator::Course unanswered() {
    return {.apply = emulator::Apply::never, .reply = emulator::Reply::hang};
}

emulator::Course done_but_unanswered() {
    return {.apply = emulator::Apply::now, .reply = emulator::Reply::hang};
}

emulator::Course done_after(rt::Duration delay) {
    return {.apply = emulator::Apply::late,
            .reply = emulator::Reply::hang,
            .wait = in_milliseconds(delay)};
}

emulator::Course done_after_answer(rt::Duration delay, unsigned status) {
    return {.apply = emulator::Apply::late,
            .wait = in_milliseconds(delay),
            .answer = emulator::error_answer(status, "upstream request timeout")};
}

emulator::Course answered_after(rt::Duration delay) {
    return {.wait = in_milliseconds(delay)};
}

emulator::Course connection_lost() {
    return {.apply = emulator::Apply::now, .reply = emulator::Reply::close};
}

emulator::Course pretended() {
    return {.apply = emulator::Apply::never,
            .answer = emulator::Answer{.body = R"({"success":true,"message":"Updated"})"}};
}

emulator::Course refused_with(unsigned status, int retry_after) {
    emulator::Course course{.apply = emulator::Apply::never,
                            .answer = emulator::error_answer(status, "Something went wrong")};
    if (retry_after > 0)
        course.answer->headers.emplace_back("Retry-After", std::to_string(retry_after));
    return course;
}

Omni::Omni(test::SimRuntime& time, std::uint64_t seed)
    : server(time, seed, {}, {.requests_per_minute = generous}) {
    server.answer_time = [this](const Received& received) {
        if (received.kind != RequestKind::list)
            return answers_take_;
        const auto of_key = lists_of_key_take_.find(received.token);
        return of_key != lists_of_key_take_.end() ? of_key->second
                                                  : lists_take_.value_or(answers_take_);
    };
    server.refuses = [this](const Received& received) {
        const bool reads = received.kind == RequestKind::list || received.kind == RequestKind::look;
        return reads && may_not_read_.contains(received.token)
                   ? std::optional(emulator::error_answer(403, "Forbidden"))
                   : std::nullopt;
    };
}

std::string Omni::creates(const std::string& name, const std::string& dialect) {
    emulator::Connection connection;
    connection.dialect = dialect;
    connection.id = sim::connection_id_of_number(++made_);
    connection.name = name;
    server.engine.model().put_connection(connection);
    return connection.id;
}

void Omni::renames(const std::string& id, const std::string& name) {
    auto connection = server.engine.model().connections().at(id);
    connection.name = name;
    server.engine.model().put_connection(std::move(connection));
}

void Omni::purges(const std::string& id) {
    server.engine.model().purge_connection(id);
}

void Omni::deletes(const std::string& id) {
    server.engine.model().delete_connection(id, "2026-01-01T00:00:00Z");
}

void Omni::restores(const std::string& id) {
    auto connection = server.engine.model().connections().at(id);
    connection.deleted_at.clear();
    server.engine.model().put_connection(std::move(connection));
}

void Omni::sets_role(const std::string& id, const std::string& role) {
    auto connection = server.engine.model().connections().at(id);
    connection.base_role = role;
    server.engine.model().put_connection(std::move(connection));
}

void Omni::accepts(const std::string& key) {
    tokens_[key] = {.text = confidential(key)};
    install_tokens();
}

void Omni::refuses(const std::string& key) {
    tokens_.erase(key);
    install_tokens();
}

void Omni::restricts(const std::string& key, std::set<std::string> to) {
    tokens_[key] = {.text = confidential(key), .admin = false, .connections = std::move(to)};
    install_tokens();
}

void Omni::forbids_reading(const std::string& key) {
    may_not_read_.insert(confidential(key));
}

void Omni::install_tokens() {
    std::vector<emulator::Token> all;
    all.reserve(tokens_.size());
    for (const auto& [key, token] : tokens_)
        all.push_back(token);
    server.engine.model().set_tokens(std::move(all));
}

void Omni::add(emulator::Course course, const std::string& method, const std::string& id,
               const std::string& path_prefix, std::optional<std::uint64_t> count) {
    emulator::Fault fault;
    fault.name = "scenario";
    fault.method = method;
    fault.connection_id = id;
    fault.path_prefix = path_prefix;
    fault.count = count;
    fault.course = std::move(course);
    server.engine.faults().add(std::move(fault));
}

void Omni::next_push(const std::string& id, emulator::Course course) {
    add(std::move(course), "PATCH", id, "", 1);
}

void Omni::each_push(const std::string& id, emulator::Course course) {
    add(std::move(course), "PATCH", id, "", std::nullopt);
}

void Omni::next_list(emulator::Course course) {
    add(std::move(course), "GET", "", std::string(connections_path), 1);
}

void Omni::everything(emulator::Course course) {
    add(std::move(course), "", "", "", std::nullopt);
}

void Omni::accepts_connections(sim::Accept how) {
    server.accepts = how;
}

void Omni::recovers() {
    server.accepts = sim::Accept::yes;
    server.engine.faults().clear();
}

void Omni::limits(int requests_per_minute) {
    server.engine.limiter().set_limits(
        {.requests_per_minute = static_cast<std::size_t>(requests_per_minute)});
}

bool Omni::has(const std::string& id) {
    const auto& all = server.engine.model().connections();
    const auto found = all.find(id);
    return found != all.end() && !found->second.is_deleted();
}

std::string Omni::held(const std::string& id) {
    const auto& all = server.engine.model().connections();
    const auto found = all.find(id);
    return found == all.end() ? "" : plain(found->second.password.value_or(""));
}

std::string Omni::private_key(const std::string& id) {
    return server.engine.model().connections().at(id).private_key.value_or("");
}

std::string Omni::role(const std::string& id) {
    return server.engine.model().connections().at(id).base_role;
}

std::string Omni::sent(const std::string& id) const {
    std::string words;
    for (const auto& one : server.traffic.all())
        if (one.push.connection_id == id && !one.push.value.empty())
            append(words, plain(one.push.value));
    return words;
}

std::string Omni::roles_sent(const std::string& id) const {
    std::string words;
    for (const auto& one : server.traffic.all())
        if (one.push.connection_id == id && !one.push.base_role.empty())
            append(words, one.push.base_role);
    return words;
}

std::size_t Omni::count(RequestKind kind) const {
    return server.traffic.count([kind](const Received& one) { return one.kind == kind; });
}

rt::TimePoint Omni::last_push(const std::string& id) const {
    rt::TimePoint last{};
    for (const auto& one : server.traffic.all())
        if (one.push.connection_id == id)
            last = one.time;
    return last;
}

} // namespace oco::scenarios
