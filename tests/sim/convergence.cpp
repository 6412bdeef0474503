#include "convergence.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

std::string joined(const std::set<std::string>& texts) {
    std::string out;
    for (const auto& text : texts)
        out += (out.empty() ? "" : " or ") + text;
    return out;
}

} // namespace

Convergence::Reasons Convergence::deserved(const ObjectFacts& object) const {
    const auto* instance = truth_.instance(object.instance);
    const bool own = object.instance.first == object.key.first;
    if (instance == nullptr)
        return {own ? "InstanceNotFound" : "NamespaceNotAllowed"};
    if (!truth_.allows_namespace(*instance, object.key.first))
        return {"NamespaceNotAllowed"};
    const auto* key = holders_.key_of(*instance);
    if (instance->suspended)
        return {"Suspended", "ConnectionConflict", "ConnectionNotAllowed"};
    if (key == nullptr) // what else is wrong with it may be said first
        return {"Unauthorized",           "InstanceNotReady",     "ConnectionConflict",
                "ConnectionNotFound",     "ConnectionNotAllowed", "Suspended",
                "ConnectionNameAmbiguous"};
    const auto target = holders_.target(object);
    return target ? deserved_there(object, *instance, *key, *target)
                  : deserved_unresolved(object, *instance, *key);
}

Convergence::Reasons Convergence::deserved_unresolved(const ObjectFacts& object,
                                                      const InstanceFacts& instance,
                                                      const ApiKey& key) const {
    auto found = orgs_.at(instance.host)->named(object.connection_name, key);
    std::erase_if(found, [&](const auto& id) { return !instance.allows_connection(id); });
    if (!key.reading.list)
        return {"Forbidden"};
    if (found.size() == 1)
        return {"a resolved name"};
    return {found.empty() ? "ConnectionNotFound" : "ConnectionNameAmbiguous"};
}

Convergence::Reasons Convergence::deserved_there(const ObjectFacts& object,
                                                 const InstanceFacts& instance, const ApiKey& key,
                                                 const Target& target) const {
    const auto* org = orgs_.at(target.host);
    const bool lives = org->lives(target.id);
    Reasons out;
    if (!instance.allows_connection(target.id))
        return {"ConnectionNotAllowed"};
    bool conflict = false;
    bool perhaps = false; // a conflict
    for (const Field field : all_fields) {
        const auto holder = holders_.holder(target, field);
        if (object.manages[place(field)] && holder && *holder != object.key)
            (holders_.uncertain(*holder, target) ? perhaps : conflict) = true;
    }
    if (conflict)
        out.insert("ConnectionConflict");
    if (conflict && holders_.rank(object) == Holders::Rank::none)
        out.insert("ConnectionNotFound"); // its key is not shown what another holds
    if (!object.connection_name.empty() && !key.reading.list) // what was resolved may be void
        out.insert("Forbidden");
    if (object.suspended)
        out.insert("Suspended");
    // Which shows when it is read, or something is sent.
    if (!lives || holders_.rank(object) == Holders::Rank::none ||
        (key.reading.list && !key.reading.shows(target.id)))
        out.insert("ConnectionNotFound");
    if (conflict || object.suspended) {
        const bool holds_one = std::ranges::any_of(all_fields, [&](Field field) {
            return object.manages[place(field)] && holders_.holder(target, field) == object.key;
        });
        if (holds_one && !key.may_change(target.id))
            out.insert("Forbidden");
        return out;
    }
    if (perhaps)
        out.insert("ConnectionConflict");
    const bool all_in_omni = std::ranges::all_of(
        all_fields, [&](Field field) { return in_omni(object, target, field); });
    const auto* status = truth_.status(object.key);
    const bool nothing_to_do = !lives || all_in_omni;
    if (holders_.rank(object) == Holders::Rank::none || !lives) {
        out.insert("ConnectionNotFound");
        if (!key.may_change(target.id)) // which is the answer where an older list showed it
            out.insert("Forbidden");
        if (nothing_to_do && status != nullptr && status->target == target)
            out.insert("Synced");
        return out;
    }
    if (!key.may_change(target.id)) {
        out.insert("Forbidden");
        if (!all_in_omni)
            return out;
    }
    out.insert("Synced");
    return out;
}

bool Convergence::in_omni(const ObjectFacts& object, const Target& target, Field field) const {
    const auto* secret = truth_.secret(object.secret);
    return orgs_.at(target.host)
        ->holds(target.id, field, object, secret == nullptr ? std::string() : secret->password);
}

// Nothing stands in the way of what it holds.
bool Convergence::can_send(const ObjectFacts& object) const {
    const auto* instance = truth_.instance(object.instance);
    const auto target = holders_.target(object);
    if (object.suspended || instance == nullptr || instance->suspended || !target)
        return false;
    const auto* key = holders_.key_of(*instance);
    return key != nullptr && key->may_change(target->id) &&
           orgs_.at(target->host)->lives(target->id) &&
           holders_.rank(object) != Holders::Rank::none;
}

void Convergence::check_values(const ObjectFacts& object, std::vector<std::string>& out) const {
    if (!can_send(object))
        return;
    const Target target = *holders_.target(object);
    for (const Field field : all_fields)
        if (object.manages[place(field)] && holders_.holder(target, field) == object.key &&
            !in_omni(object, target, field))
            out.push_back("lost: " + shown(object.key) + " holds " + std::string(name_of(field)) +
                          " of " + shown(target) + ", where Omni has another");
}

std::vector<std::string> Convergence::unfinished() const {
    std::vector<std::string> out;
    for (const auto& [name, history] : truth_.objects) {
        const auto* object = newest(history);
        const auto* status = truth_.status(name);
        if (object == nullptr || object->terminating)
            continue;
        const auto miss = [&, who = shown(name)](const std::string& what) {
            out.push_back("end: " + who + " " + what);
        };
        if (status == nullptr || status->reason.empty()) {
            miss("has no status");
            continue;
        }
        if (const auto reasons = deserved(*object); !reasons.contains(status->reason))
            miss("says " + status->reason + ", and not " + joined(reasons));
        if (status->observed_generation != object->generation)
            miss("has a status of an older generation");
        const auto* secret = truth_.secret(object->secret);
        if (status->reason == "Synced" && object->manages[place(Field::credential)] &&
            secret != nullptr && status->secret_version != secret->version)
            miss("names another version of its Secret");
        check_values(*object, out);
    }
    return out;
}

} // namespace oco::sim
