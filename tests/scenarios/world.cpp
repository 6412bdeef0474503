#include "world.hpp"

#include "base/log.hpp"
#include "sim/kube_rules.hpp"

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>

namespace oco::scenarios {

using sim::text_at;

namespace {

// After this long without a change, and with a leader, nothing should be under way.
constexpr rt::Duration quiet_after = 10s;
// So long a watch waits before it tries again.
constexpr rt::Duration watch_back_off = 30s;
// And so long it waits for a server that says nothing.
constexpr rt::Duration watch_silence = 55s;

std::string share_of_path(const std::string& plural) {
    return "/" + plural;
}

} // namespace

World::Settings World::settings;

World::World() {
    network_.listen(std::string(sim::kube_host), kube);
    network_.listen(omni_host, omni.server);
    network_.listen(other_host, other_omni.server);
    listen_to_log();
    follow_kube();
    follow_omni(omni, omni_host);
    follow_omni(other_omni, other_host);
    kube.apply("namespaces", "", std::string(sim::operator_namespace),
               {{"metadata", bj::object{}}});
}

World::~World() {
    for (const auto& [name, replica] : replicas_)
        promises_.check_text(replica->metrics());
    check_confidential();
    for (const auto& broken : promises_.broken()) {
        say("BROKEN: " + broken);
        CHECK_MESSAGE(false, broken);
    }
    for (const auto& [name, replica] : replicas_)
        replica->kill();
    const auto quiet = [this] {
        return std::ranges::all_of(replicas_, [](const auto& e) { return e.second->quiet(); });
    };
    for (int i = 0; i < 100 && !quiet(); ++i)
        step(1s);
    log::configure({});
}

void World::check_confidential() {
    for (const char* plural : {"omniconnections", "omniinstances", "events", "leases"})
        for (const auto* object : kube.all(plural))
            promises_.check_text(bj::serialize(*object));
}

void World::say(const std::string& text) const {
    if (!settings.trace)
        return;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time_.now() - begin_);
    std::printf("%10.3f %s\n", static_cast<double>(ms.count()) / 1000, text.c_str());
}

void World::listen_to_log() {
    log::configure({.level = log::Level::info,
                    .format = log::Format::text,
                    .clock = [this] { return time_.wall_now(); },
                    .sink =
                        [this](std::string_view line) {
                            log_.emplace_back(line);
                            say("    " + std::string(line.substr(0, line.size() - 1)));
                            promises_.check_text(line);
                        }});
}

void World::follow_kube() {
    kube.on_written = [this](const std::string& plural, const bj::object& object) {
        object_written(plural, object);
    };
    kube.on_request = [this](const sim::HttpRequest& request) {
        const bool fails = !failing_.empty() && request.path.ends_with(share_of_path(failing_));
        kube.trouble.error_before = fails ? 1 : 0;
        if (request.path == slow_path_) {
            kube.trouble.next_answer_takes = slow_by_;
            slow_path_.clear();
        }
    };
}

void World::object_written(const std::string& plural, const bj::object& object) {
    news_ |= plural == "secrets" || plural == "omniconnections";
    if (plural == "secrets")
        promises_.secret_written(object);
    if (plural == "omniconnections")
        promises_.status_written(object);
    if (plural == "omniconnections" || plural == "omniinstances") {
        const std::string name = text_at(object, {"metadata", "namespace"}) + "/" +
                                 text_at(object, {"metadata", "name"});
        const auto* ready = sim::condition(object, "Ready");
        std::string line =
            plural + " " + name + ": " +
            (ready == nullptr ? "no condition"
                              : text_at(*ready, {"reason"}) + ", " + text_at(*ready, {"message"}));
        const std::string vouched = promises_.vouched(object);
        if (!vouched.empty())
            line += "; applied: " + vouched;
        if (shown_[plural + name] != line)
            say(shown_[plural + name] = line);
    }
    if (plural == "leases") { // "alpha-1_random"
        std::string holder = text_at(object, {"spec", "holderIdentity"});
        holder = holder.substr(0, holder.find('-'));
        if (holder == leader_)
            return;
        say("lease: " + (holder.empty() ? "released" : holder + " leads"));
        leader_ = holder;
        leads_since_ = holder.empty() ? std::nullopt : std::optional(time_.now());
    }
}

void World::follow_omni(Omni& which, const std::string& host) {
    which.server.tell = [this, &which, host,
                         seen = std::size_t{0}](const std::string& text) mutable {
        say(host + ": " + text);
        for (const auto& all = which.server.traffic.all(); seen < all.size(); ++seen) {
            const sim::Push& push = all[seen].push;
            if (!push.connection_id.empty())
                say(host + ": is sent " + plain(push.value) + " " + push.base_role);
            promises_.sent(host, push);
        }
    };
    which.server.on_stored = [this, host](const Received& received) {
        const sim::Push& push = received.push;
        say(host + ": stores " + plain(push.value) + " " + push.base_role + " in " +
            push.connection_id);
        news_ = true;
        promises_.stored(host, push);
    };
}

Tenant& World::tenant(const std::string& ns) {
    const auto known = tenants_.find(ns);
    if (known != tenants_.end())
        return known->second;
    Tenant& made = tenants_.emplace(ns, Tenant(*this, ns)).first->second;
    made.joins(ns);
    return made;
}

// --- replicas ----------------------------------------------------------------------------------

sim::Replica& World::process(const std::string& name) {
    auto& known = replicas_[name];
    if (!known)
        known = std::make_unique<sim::Replica>(
            time_, network_,
            sim::ReplicaOptions{.name = name,
                                .seed = settings.seed,
                                .token = [] { return std::string("any"); },
                                .on_exit =
                                    [this, name](int code) {
                                        say(name + " exits with " + std::to_string(code));
                                        if (code != 0)
                                            time_.after(2s, [this, name] { starts(name); });
                                    },
                                .namespaces = namespaces_,
                                .operator_namespace = installs_.contains(name)
                                                          ? installs_.at(name)
                                                          : std::string(sim::operator_namespace)});
    return *known;
}

void World::installs(const std::string& replica, const std::string& operator_namespace) {
    kube.apply("namespaces", "", operator_namespace, {{"metadata", bj::object{}}});
    installs_[replica] = operator_namespace;
}

void World::starts(const std::string& replica) {
    say(replica + " starts");
    touched();
    process(replica).start();
}

void World::stops(const std::string& replica) {
    say("SIGTERM to " + replica);
    touched();
    process(replica).stop();
}

void World::kills(const std::string& replica) {
    say("SIGKILL to " + replica);
    touched();
    if (leader_ == replica)
        leads_since_.reset();
    process(replica).kill();
}

std::string World::readiness(const std::string& replica) {
    const auto page = process(replica).readiness();
    return std::to_string(page.status) + " " + page.body;
}

std::string World::metrics(const std::string& replica) {
    return process(replica).metrics();
}

std::string World::version(const std::string& ns, const std::string& connection) const {
    return text_at(*kube.find("omniconnections", ns, connection), {"metadata", "resourceVersion"});
}

std::size_t World::warned(const std::string& reason) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(kube.all("events"), [&](const auto* event) {
            return text_at(*event, {"type"}) == "Warning" && text_at(*event, {"reason"}) == reason;
        }));
}

std::size_t World::logged(std::string_view text) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        log_, [text](const auto& line) { return line.find(text) != std::string::npos; }));
}

// --- time --------------------------------------------------------------------------------------

void World::step(rt::Duration duration) {
    time_.run_until(time_.now() + duration);
    for (const auto& [name, replica] : replicas_)
        replica->reap();
    const auto quiet_since = std::max(touched_, leads_since_.value_or(time_.now()));
    if (news_ && leads_since_ && !kube_away_ && time_.now() >= quiet_since + quiet_after) {
        news_ = false;
        promises_.check_quiet_moment();
    }
}

void World::passes(rt::Duration duration) {
    for (const auto until = time_.now() + duration; time_.now() < until;)
        step(std::min<rt::Duration>(until - time_.now(), 1s));
}

bool World::happens(const std::function<bool()>& what, rt::Duration within) {
    const auto from = time_.now();
    while (!what()) {
        const auto waited = time_.now() - from;
        if (waited >= within)
            return false;
        step(waited < 10s ? 10ms : waited < 2min ? 100ms : 1s);
    }
    return true;
}

bool World::omni_gets(const std::string& id, const std::string& value, rt::Duration within) {
    return happens([&] { return omni.held(id) == value; }, within);
}

bool World::omni_is_asked(RequestKind kind, rt::Duration within) {
    return happens([this, kind, known = omni.count(kind)] { return omni.count(kind) > known; },
                   within);
}

// --- the API server ------------------------------------------------------------------------------

void World::kube_fails(const std::string& plural) {
    say("kube: requests for " + plural + " fail");
    failing_ = plural;
    network_.cut(std::string(sim::kube_host));
}

void World::kube_forbids(const std::string& ns, const std::string& plural) {
    say("kube: " + (plural.empty() ? std::string("all") : plural) + " in " + ns + " is forbidden");
    kube.trouble.forbidden.emplace(ns, plural);
    if (plural.empty())
        promises_.excuse({ns});
    network_.cut(std::string(sim::kube_host));
}

void World::kube_recovers() {
    say("kube: all works again");
    touched_ = time_.now() + watch_back_off;
    failing_.clear();
    kube.trouble.forbidden.clear();
    promises_.excuse({});
    kube_away_ = kube.trouble.refuses_connections = false;
}

void World::secret_read_takes(const std::string& ns, const std::string& secret,
                              rt::Duration duration) {
    slow_path_ = "/api/v1/namespaces/" + ns + "/secrets/" + secret;
    slow_by_ = duration;
}

void World::kube_is_restored() {
    say("kube: restored from a backup");
    touched();
    kube.restore();
    network_.cut(std::string(sim::kube_host));
}

void World::kube_connections_break() {
    network_.cut(std::string(sim::kube_host));
}

void World::a_watch_meets_a_defect() {
    network_.fail_next(std::string(sim::kube_host));
    network_.cut(std::string(sim::kube_host));
}

void World::kube_connections_go_silent() {
    say("kube: connections go silent");
    touched_ = time_.now() + watch_silence;
    network_.silence(std::string(sim::kube_host));
}

void World::kube_goes_away() {
    say("kube: gone");
    kube.restart();
    network_.cut(std::string(sim::kube_host));
    kube_away_ = kube.trouble.refuses_connections = true;
}

void World::digest_key_is_lost() {
    say("the digest key is lost");
    kube.remove("secrets", std::string(sim::operator_namespace),
                "omni-connection-operator-digest-key");
}

} // namespace oco::scenarios
