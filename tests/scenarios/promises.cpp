#include "promises.hpp"

#include "base/base64.hpp"
#include "sim/kube_rules.hpp"

#include <algorithm>
#include <utility>

namespace oco::scenarios {

using sim::text_at;

namespace {

std::string name_of(const bj::object& object) {
    return text_at(object, {"metadata", "namespace"}) + "/" + text_at(object, {"metadata", "name"});
}

constexpr std::string_view kinds[] = {"password", "bigQueryServiceAccount", "snowflakePrivateKey"};

// Of the credential that the spec names; empty: it manages none.
std::string_view kind_in_spec(const bj::object& connection) {
    for (const auto kind : kinds)
        if (!text_at(connection, {"spec", "credentials", kind, "secretRef", "name"}).empty())
            return kind;
    return {};
}

// Whether this status says Ready=True, reason Synced, of this spec.
bool says_synced(const bj::object& status, const bj::value& generation) {
    const bj::object object{{"status", status}};
    const auto* ready = sim::condition(object, "Ready");
    const auto* observed = status.if_contains("observedGeneration");
    return ready != nullptr && text_at(*ready, {"reason"}) == "Synced" && observed != nullptr &&
           *observed == generation;
}

bool is_private_key(const bj::object& connection) {
    return kind_in_spec(connection) == kinds[2];
}

} // namespace

void Promises::complain(const std::string& what) {
    if (std::ranges::find(broken_, what) == broken_.end())
        broken_.push_back(what);
}

void Promises::secret_written(const bj::object& secret) {
    Version version{.resource_version = text_at(secret, {"metadata", "resourceVersion"}),
                    .values = {}};
    if (const auto* data = secret.if_contains("data"))
        for (const auto& [key, value] : data->as_object())
            if (const auto bytes = base64::decode(value.as_string()))
                version.values.emplace(key, plain(bytes->expose()));
    versions_[name_of(secret)].push_back(std::move(version));
}

const Promises::Versions& Promises::versions(const Source& source) const {
    static const Versions none;
    const auto known = versions_.find(source.ns + "/" + source.secret);
    return known == versions_.end() ? none : known->second;
}

bool Promises::got_later(const Source& source, const std::string& value,
                         const std::string& resource_version) const {
    bool later = resource_version.empty();
    for (const auto& version : versions(source)) {
        const auto found = version.values.find(source.key);
        if (later && found != version.values.end() && found->second == value)
            return true;
        later |= version.resource_version == resource_version;
    }
    return false;
}

Promises::Source Promises::source_in_spec(const bj::object& connection) {
    const auto in = [&](std::string_view member) {
        return text_at(connection,
                       {"spec", "credentials", kind_in_spec(connection), "secretRef", member});
    };
    return {.ns = text_at(connection, {"metadata", "namespace"}),
            .secret = in("name"),
            .key = in("key").empty() ? "password" : in("key")};
}

Promises::Source Promises::source_in_status(const bj::object& connection) {
    const auto in = [&](std::string_view member) {
        return text_at(connection, {"status", "applied", "credential", member});
    };
    return {.ns = text_at(connection, {"metadata", "namespace"}),
            .secret = in("secretName"),
            .key = in("secretKey")};
}

std::string Promises::vouched(const bj::object& connection) const {
    const Source source = source_in_status(connection);
    const std::string wanted =
        text_at(connection, {"status", "applied", "credential", "secretResourceVersion"});
    for (const auto& version : versions(source))
        if (version.resource_version == wanted)
            if (const auto found = version.values.find(source.key); found != version.values.end())
                return found->second;
    return {};
}

bool Promises::is_own_successor(const bj::object& connection, const std::string& value) const {
    const Source now = source_in_spec(connection);
    const Source then = source_in_status(connection);
    const std::string version =
        text_at(connection, {"status", "applied", "credential", "secretResourceVersion"});
    return got_later(now, value, now == then ? version : "");
}

std::optional<std::string> Promises::held_at_target(const bj::object& connection) const {
    std::string host = text_at(connection, {"status", "applied", "target", "host"});
    host = host.substr(0, host.find(':')); // http is not at port 443
    if (is_private_key(connection))
        return std::nullopt;
    const std::string id = text_at(connection, {"status", "applied", "target", "connectionID"});
    const auto omni = omnis_.find(host);
    return omni != omnis_.end() && omni->second->has(id) ? std::optional(omni->second->held(id))
                                                         : std::nullopt;
}

void Promises::status_written(const bj::object& connection) {
    const auto* status = connection.if_contains("status");
    if (status == nullptr)
        return;
    // What was said before may have become wrong by a crash, until the next process looks.
    bj::object& known = statuses_[name_of(connection)];
    const bj::object before = std::exchange(known, status->as_object());
    if (before == status->as_object())
        return;
    if (!kube_.writer().empty())
        check_synced(connection);
    const std::string value = vouched(connection);
    const auto held = held_at_target(connection);
    if (!value.empty() && held && *held != value && !is_own_successor(connection, *held))
        complain(name_of(connection) + " vouches for " + value + ", but Omni holds " + *held);
}

// What Ready=True says of a spec, the rest of the status bears out.
void Promises::check_synced(const bj::object& connection) {
    const bj::value& generation = connection.at("metadata").at("generation");
    if (!says_synced(connection.at("status").as_object(), generation))
        return;
    const Source wanted = source_in_spec(connection);
    if (!wanted.secret.empty() && source_in_status(connection) != wanted)
        complain(name_of(connection) + " is Synced, but its credential in " + wanted.secret +
                 " was not sent");
    const std::string role = text_at(connection, {"spec", "baseRole"});
    if (!role.empty() && text_at(connection, {"status", "applied", "baseRole", "value"}) != role)
        complain(name_of(connection) + " is Synced, but its role " + role + " was not sent");
}

void Promises::sent(const std::string& host, const sim::Push& push) {
    if (push.value.empty())
        return;
    const std::string value = plain(push.value);
    const auto holds_it = [&](const Version& version) {
        return std::ranges::any_of(version.values,
                                   [&](const auto& entry) { return entry.second == value; });
    };
    for (const auto& [secret, all] : versions_) {
        const auto last = std::find_if(all.rbegin(), all.rend(), holds_it);
        const auto place = static_cast<std::size_t>(all.rend() - last); // 0: it never held it
        auto& newest = newest_sent_[host + " " + push.connection_id + " " + secret];
        if (place > 0 && place < newest)
            complain("an older value of " + secret + " was sent after a newer one: " + value);
        newest = std::max(newest, place);
    }
}

void Promises::stored(const std::string& host, const sim::Push& push) {
    if (push.value.empty())
        return;
    const std::string value = plain(push.value);
    for (const auto* object : kube_.all("omniconnections")) {
        if (excused(*object))
            continue;
        const std::string said = vouched(*object);
        const auto target = [&](std::string_view member) {
            return text_at(*object, {"status", "applied", "target", member});
        };
        if (!is_private_key(*object) && target("connectionID") == push.connection_id &&
            target("host").starts_with(host) && !said.empty() && said != value &&
            !is_own_successor(*object, value))
            complain(name_of(*object) + " still vouches for " + said + " when Omni gets " + value);
    }
}

bool Promises::excused(const bj::object& connection) const {
    return excused_.contains(text_at(connection, {"metadata", "namespace"}));
}

void Promises::check_quiet_moment() {
    for (const auto* object : kube_.all("omniconnections")) {
        const auto* ready = sim::condition(*object, "Ready");
        const bool observed = object->at("status").at("observedGeneration") ==
                              object->at("metadata").at("generation");
        const auto& all = versions(source_in_spec(*object));
        if (excused(*object) || ready == nullptr || text_at(*ready, {"reason"}) != "Synced" ||
            !observed || all.empty())
            continue;
        const auto wanted = all.back().values.find(source_in_spec(*object).key);
        const auto held = held_at_target(*object);
        if (wanted != all.back().values.end() && held && wanted->second != *held)
            complain(name_of(*object) + " is Synced, but Omni holds " + *held + " instead of " +
                     wanted->second);
    }
}

void Promises::check_text(std::string_view text) {
    if (text.find("a defect of the operator") != std::string_view::npos)
        complain(std::string(text));
    if (text.find(confidential("")) != std::string_view::npos)
        complain("a credential can be read in the log, the objects or the metrics");
}

} // namespace oco::scenarios
