#include "status_oracle.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

constexpr rt::Duration starting = std::chrono::seconds(20);
constexpr rt::Duration renew_deadline = std::chrono::seconds(10); // of the Lease
constexpr rt::Duration heeding = std::chrono::seconds(5);
constexpr rt::Duration recovering = std::chrono::seconds(30);
// An answer that takes longer makes the status say that the outcome is not known.
constexpr rt::Duration unanswered_shows_after = std::chrono::milliseconds(1500);
constexpr rt::Duration repetition = std::chrono::minutes(10);

} // namespace

bool StatusOracle::calm() const {
    const auto now = time_.now();
    // One that could not renew the Lease has stepped down, and begins again as a standby.
    const bool leads = works_(from_.lease.leader()) && now < from_.lease.renewed() + renew_deadline;
    return leads && now >= from_.lease.since() + starting && now >= troubled_ + recovering;
}

// The leader has been shown the newest version, and has had time for it.
template<class T>
bool StatusOracle::heeded(const History<T>& history, const char* plural) const {
    if (history.empty())
        return true;
    const auto seen = from_.kube_views.seen_at(from_.lease.leader(), plural, history.back().number);
    return seen && *seen + heeding <= time_.now();
}

bool StatusOracle::under_way(const ObjectFacts& object) const {
    const Truth& truth = from_.truth;
    const auto* instance = truth.instance(object.instance);
    return instance == nullptr ||
           !heeded(history_of(truth.objects, object.key), plurals::objects) ||
           !heeded(history_of(truth.instances, object.instance), plurals::instances) ||
           !heeded(history_of(truth.secrets, object.secret), plurals::secrets) ||
           !heeded(history_of(truth.secrets, instance->token_secret), plurals::secrets) ||
           (instance->allowed_from == InstanceFacts::From::selector &&
            !heeded(history_of(truth.namespaces, {"", object.key.first}), plurals::namespaces));
}

void StatusOracle::look() {
    if (!calm())
        return;
    for (const auto& [name, history] : from_.truth.statuses) {
        const auto* status = newest(history);
        const auto* object = from_.truth.object(name);
        if (status == nullptr || object == nullptr || status->uid != object->uid)
            continue;
        const auto said = [&, &who = name](const auto& complaints) {
            const auto last = complaints.find(who);
            return last != complaints.end() && time_.now() < last->second + repetition;
        };
        if (status->reason == "Synced" && !said(complained_of_synced_) && !under_way(*object))
            check_synced(*object, *status);
        if (status->applied[place(Field::credential)] && !said(complained_of_vouching_))
            check_vouching(*object, *status);
    }
}

void StatusOracle::check_synced(const ObjectFacts& object, const StatusFacts& status) {
    const auto* instance = from_.truth.instance(object.instance);
    const auto* org = from_.orgs.at(instance->host);
    const auto* secret = from_.truth.secret(object.secret);
    if (!org->lives(status.connection_id)) // which only reading tells
        return;
    ++figures.synced;
    for (const Field field : all_fields) {
        const bool held = org->holds(status.connection_id, field, object,
                                     secret == nullptr ? std::string() : secret->password);
        if (held)
            continue;
        const auto* last = org->last_stored(status.connection_id, field);
        complained_of_synced_[object.key] = time_.now();
        complain_("synced: " + shown(object.key) + " says so, but Omni has another " +
                  std::string(name_of(field)) + " at " +
                  shown(Target{org->host(), status.connection_id}) +
                  (last == nullptr
                       ? std::string(": none")
                       : " from " + last->client + (last->late ? ", that landed late" : "")));
    }
}

const SecretFacts* StatusOracle::vouched(const ObjectFacts& object,
                                         const StatusFacts& status) const {
    const auto& history = history_of(from_.truth.secrets, {object.key.first, status.secret_name});
    const auto found = std::ranges::find_if(history, [&](const auto& version) {
        return version.value && version.value->uid == status.secret_uid &&
               version.value->version == status.secret_version;
    });
    return found == history.end() ? nullptr : found->value.get();
}

// What the leader itself sent since then, it knows of.
void StatusOracle::check_vouching(const ObjectFacts& object, const StatusFacts& status) {
    const auto* secret = vouched(object, status);
    const auto* org = from_.orgs.at(status.target.host);
    if (secret == nullptr || org == nullptr || !org->lives(status.target.id))
        return;
    const auto* last = org->last_stored(status.target.id, Field::credential);
    if (last == nullptr || last->value == secret->password ||
        last->client != from_.lease.leader() || time_.now() < last->when + heeding)
        return;
    complained_of_vouching_[object.key] = time_.now();
    complain_("vouching: the status of " + shown(object.key) + " vouches for version " +
              status.secret_version + ", but Omni has what the leader sent later" +
              (last->late ? ", and that landed late" : ""));
}

void StatusOracle::written(const Name& name, const std::string& client, rt::Duration way) {
    const auto* object = from_.truth.object(name);
    const auto& history = history_of(from_.truth.statuses, name);
    const auto* status = newest(history);
    if (object == nullptr || status == nullptr || !status->applied[place(Field::credential)])
        return;
    const auto* before = history.size() > 1 ? history[history.size() - 2].value.get() : nullptr;
    if (before != nullptr && before->uid == status->uid && before->target == status->target &&
        before->applied[place(Field::credential)] && before->secret_uid == status->secret_uid &&
        before->secret_version == status->secret_version &&
        before->rotation_id == status->rotation_id)
        return;
    ++figures.vouched;
    const auto* secret = vouched(*object, *status);
    const auto* org = from_.orgs.at(status->target.host);
    const std::string who = "vouching: " + client + " wrote in the status of " + shown(name);
    if (secret == nullptr)
        return complain_(who + " version " + status->secret_version +
                         " of a Secret that never had it");
    if (secret->rotation_id != status->rotation_id)
        complain_(who + " rotation id " + status->rotation_id + ", but that version has " +
                  secret->rotation_id);
    const auto since = time_.now() - unanswered_shows_after - way;
    if (org != nullptr &&
        !org->held_since(status->target.id, Field::credential, secret->password, since))
        complain_(who + " version " + status->secret_version + ", whose value Omni does not hold");
}

} // namespace oco::sim
