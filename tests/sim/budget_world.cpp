#include "budget_world.hpp"

#include "base/base64.hpp"
#include "base/log.hpp"
#include "base/time.hpp"
#include "kube_rules.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// So many that nobody meets the limit.
constexpr int generous = 60'000;
// All slots of the time before are free again.
constexpr rt::Duration forgotten_after = minutes(3);

std::string ready_reason(const bj::object& object) {
    const auto* ready = condition(object, "Ready");
    return ready != nullptr ? text_at(*ready, {"reason"}) : std::string();
}

} // namespace

BudgetWorld::BudgetWorld(std::uint64_t seed, emulator::Limits limits, Trace trace)
    : seed_(seed), time_(seed), network_(time_, seed), limits_(limits), trace_(std::move(trace)),
      kube(time_, seed), omni(time_, seed, {}, {.requests_per_minute = generous}),
      replica_(time_, network_,
               {.name = "alpha",
                .seed = seed,
                .token = [] { return std::string("any"); },
                .on_exit =
                    [this](int code) {
                        say("exit " + std::to_string(code));
                        time_.after(seconds(2), [this] { replica_.start(); });
                    }}) {
    begin = time_.now();
    network_.listen(std::string(kube_host), kube);
    network_.listen(omni_host, omni);
    omni.tell = [this](const std::string& text) {
        say(text);
    };
    listen_to_log();
    for (const char* ns : {"operator", "team-a", "team-b"})
        kube.apply("namespaces", "", ns, {{"metadata", bj::object{}}});
    omni.engine.limiter().set_limits(
        {.requests_per_minute = generous, .window = limits.window, .count_refused = false});
    key_ = "confidential-key-" + std::to_string(++made_);
    omni.engine.model().set_tokens({{.text = key_}});
}

BudgetWorld::~BudgetWorld() {
    replica_.kill();
    for (int i = 0; i < 100 && !replica_.quiet(); ++i)
        advance(seconds(1));
    log::configure({});
}

void BudgetWorld::say(const std::string& text) const {
    if (!trace_)
        return;
    const auto ms = std::chrono::duration_cast<milliseconds>(time_.now() - begin).count();
    char stamp[32];
    std::snprintf(stamp, sizeof stamp, "%.3f ", static_cast<double>(ms) / 1000);
    trace_(stamp + text);
}

void BudgetWorld::listen_to_log() {
    log::configure({.level = trace_ ? log::Level::info : log::Level::warn,
                    .format = log::Format::text,
                    .clock = [this] { return time_.wall_now(); },
                    .sink =
                        [this](std::string_view line) {
                            say("  " + std::string(line.substr(0, line.size() - 1)));
                            if (line.find("unexpected exception") != std::string_view::npos)
                                log_complaints_.emplace_back(line);
                            if (line.find("confidential-") != std::string_view::npos)
                                log_complaints_.emplace_back("a credential is in the log");
                        }});
}

// --- before start() ----------------------------------------------------------------------------

void BudgetWorld::add_instance(const std::string& ns, int requests_per_minute) {
    instances_.emplace_back(ns, requests_per_minute);
    apply_instance(ns, generous);
    write_key();
}

void BudgetWorld::apply_instance(const std::string& ns, int requests_per_minute) {
    kube.apply(
        "omniinstances", ns, "omni",
        {{"spec", bj::object{{"baseURL", "http://" + omni_host}, // TLS is not simulated
                             {"apiTokenSecretRef", bj::object{{"name", "key"}, {"key", "token"}}},
                             {"rateLimit", bj::object{{"requestsPerMinute", requests_per_minute}}},
                             {"allowedNamespaces", bj::object{{"from", "All"}}}}}});
}

std::size_t BudgetWorld::add_connections(const Group& group) {
    const std::size_t first = objects_.size();
    for (std::size_t i = 0; i < group.count; ++i) {
        const auto number = static_cast<int>(objects_.size());
        BudgetObject object{.ns = group.ns,
                            .name = "warehouse-" + std::to_string(1'000 + number),
                            .connection_id = connection_id_of_number(number),
                            .value = {},
                            .role = {},
                            .spec = {}};
        object.spec = {
            {"instanceRef", bj::object{{"name", "omni"}, {"namespace", group.instance_ns}}},
            {"connectionID", object.connection_id},
            {"driftCheckInterval", group.drift_check_interval}};
        if (group.manages != Manages::role) {
            object.spec["credentials"] = bj::object{
                {"repushInterval", "0s"},
                {"password", bj::object{{"secretRef",
                                         bj::object{{"name", object.name}, {"key", "password"}}}}}};
            write_value(object);
        }
        if (group.manages != Manages::credential)
            object.role = "VIEWER";
        emulator::Connection connection;
        connection.id = object.connection_id;
        connection.name = object.name;
        omni.engine.model().put_connection(std::move(connection));
        apply_object(object);
        objects_.push_back(std::move(object));
    }
    return first;
}

bool BudgetWorld::start() {
    replica_.start();
    const bool begun = advance_until([this] { return all_in_step(); }, minutes(5));
    for (const auto& [ns, limit] : instances_)
        apply_instance(ns, limit);
    // Where in a minute of the clock it begins is no matter of ours.
    advance(forgotten_after + Dice(seed_, "begin").duration({}, minutes(1)));
    omni.engine.limiter().set_limits(limits_);
    omni.least_answer_time = milliseconds(100);
    omni.most_answer_time = milliseconds(500);
    omni.traffic = {};
    kube.counts = {};
    begin = time_.now();
    say("the limits hold");
    return begun;
}

// --- what people do ----------------------------------------------------------------------------

void BudgetWorld::write_value(BudgetObject& object) {
    object.value = "confidential-password-" + std::to_string(10'000 + ++made_);
    kube.apply(
        "secrets", object.ns, object.name,
        {{"type", "Opaque"}, {"data", bj::object{{"password", base64::encode(object.value)}}}});
}

void BudgetWorld::apply_object(const BudgetObject& object) {
    bj::object spec = object.spec;
    if (!object.role.empty())
        spec["baseRole"] = object.role;
    kube.apply("omniconnections", object.ns, object.name, {{"spec", std::move(spec)}});
}

void BudgetWorld::rotate(std::size_t place) {
    write_value(objects_[place]);
}

void BudgetWorld::rotate(std::size_t first, std::size_t count) {
    say("rotation of " + std::to_string(count));
    for (std::size_t place = first; place < first + count; ++place)
        rotate(place);
}

rt::Duration BudgetWorld::time_of_rotation(std::size_t place) {
    constexpr rt::Duration at_most = minutes(10);
    const auto written = now();
    rotate(place);
    const auto arrives = [value = objects_[place].value](const Received& one) {
        return one.push.value == value;
    };
    advance_until([&] { return omni.traffic.first(arrives) != nullptr; }, at_most);
    const auto* push = omni.traffic.first(arrives);
    return push != nullptr ? push->time - written : at_most;
}

void BudgetWorld::set_role(std::size_t place, const std::string& role) {
    objects_[place].role = role;
    apply_object(objects_[place]);
}

void BudgetWorld::write_key() {
    for (const auto& [ns, limit] : instances_)
        kube.apply("secrets", ns, "key",
                   {{"type", "Opaque"}, {"data", bj::object{{"token", base64::encode(key_)}}}});
}

void BudgetWorld::restrict_key(std::size_t place) {
    emulator::Token token{.text = key_, .admin = false, .connections = {}};
    for (const auto& object : objects_)
        if (object.connection_id != objects_[place].connection_id)
            token.connections.insert(object.connection_id);
    omni.engine.model().set_tokens({std::move(token)});
}

void BudgetWorld::revoke_key() {
    say("the key is revoked");
    omni.engine.model().set_tokens({{.text = "another"}});
}

void BudgetWorld::replace_key() {
    say("the key is replaced");
    key_ = "confidential-key-" + std::to_string(++made_);
    omni.engine.model().set_tokens({{.text = key_}});
    write_key();
}

std::size_t BudgetWorld::crash(rt::Duration down) {
    say("crash");
    const auto when = time_.now();
    const std::size_t told = told_pushes();
    replica_.kill();
    time_.after(down, [this] { replica_.start(); });
    advance(seconds(1)); // what was on its way arrives
    const auto sent =
        omni.traffic.count(requests::at(when - minutes(1), time_.now(), requests::any));
    return sent - std::min(sent, told);
}

void BudgetWorld::restart() {
    say("SIGTERM");
    replica_.stop();
}

// --- time --------------------------------------------------------------------------------------

void BudgetWorld::advance(rt::Duration duration) {
    for (const auto until = time_.now() + duration; time_.now() < until;) {
        time_.run_until(std::min(until, time_.now() + minutes(1)));
        replica_.reap();
    }
}

bool BudgetWorld::advance_until(const std::function<bool()>& holds, rt::Duration at_most) {
    for (const auto until = time_.now() + at_most; !holds(); advance(seconds(1)))
        if (time_.now() >= until)
            return false;
    return true;
}

// --- what is to be seen ------------------------------------------------------------------------

const bj::object& BudgetWorld::shown(std::size_t place) const {
    return *kube.find("omniconnections", objects_[place].ns, objects_[place].name);
}

Traffic::Which BudgetWorld::requests_for(std::size_t first, std::size_t count) const {
    return [from = objects_[first].connection_id,
            to = objects_[first + count - 1].connection_id](const Received& one) {
        return one.push.connection_id >= from && one.push.connection_id <= to;
    };
}

bool BudgetWorld::ready(std::size_t place) const {
    const auto* ready = condition(shown(place), "Ready");
    return ready != nullptr && text_at(*ready, {"status"}) == "True";
}

std::string BudgetWorld::reason(std::size_t place) const {
    return ready_reason(shown(place));
}

std::string BudgetWorld::instance_reason(const std::string& ns) const {
    return ready_reason(*kube.find("omniinstances", ns, "omni"));
}

bool BudgetWorld::delivered(std::size_t place) {
    const BudgetObject& object = objects_[place];
    const auto& held = omni.engine.model().connections().at(object.connection_id);
    return (object.value.empty() || held.password == object.value) &&
           (object.role.empty() || held.base_role == object.role);
}

bool BudgetWorld::in_step(std::size_t place) {
    const BudgetObject& object = objects_[place];
    if (!delivered(place) || !ready(place))
        return false;
    const bj::object& known = shown(place);
    if (known.at("status").at("observedGeneration") != known.at("metadata").at("generation"))
        return false;
    return object.value.empty() ||
           text_at(known, {"status", "applied", "credential", "secretResourceVersion"}) ==
               text_at(*kube.find("secrets", object.ns, object.name),
                       {"metadata", "resourceVersion"});
}

bool BudgetWorld::all_in_step() {
    return all_in_step(0, objects_.size());
}

// The last first, which mostly come last.
bool BudgetWorld::all_in_step(std::size_t first, std::size_t count) {
    for (std::size_t place = first + count; place > first; --place)
        if (!in_step(place - 1))
            return false;
    return true;
}

std::size_t BudgetWorld::told_pushes() const {
    std::size_t told = 0;
    for (std::size_t place = 0; place < objects_.size(); ++place) {
        const auto last = parse_rfc3339(text_at(shown(place), {"status", "lastPushTime"}));
        told += last && *last > time_.wall_now() - minutes(1) ? 1 : 0;
    }
    return told;
}

} // namespace oco::sim
