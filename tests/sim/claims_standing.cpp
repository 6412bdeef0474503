// Who claims what, and has proved it, by what a process was shown.
#include "claims_oracle.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

// The Secret of a key is read when it has changed, and again if that fails.
constexpr rt::Duration token_reading = std::chrono::seconds(60);
// An instance that has changed is looked at again, its key's Secret included, before it proves
// anything: until then who held goes on.
constexpr rt::Duration looking_again = std::chrono::seconds(10);
// A name that was there for less may have come and gone between two looks.
constexpr rt::Duration glimpse = std::chrono::seconds(2);

} // namespace

ClaimsOracle::Standing ClaimsOracle::standing(const Name& object, const Case& of) const {
    Standing out;
    const auto& history = history_of(from_.truth.objects, object);
    for (const auto* one :
         from_.kube_views.acceptable(history, of.client, plurals::objects, of.limit)) {
        if (one == nullptr || one->terminating || !one->manages[place(of.field)]) {
            out.definite = false;
            continue;
        }
        out.objects.push_back(one);
        weigh(*one, of, out);
    }
    const auto* now = newest(history);
    if (now != nullptr)
        out.since = std::max(
            out.since, shown_since(history, of.client, plurals::objects, [&](const auto& one) {
                return one.uid == now->uid && one.instance == now->instance &&
                       one.connection_id == now->connection_id &&
                       one.connection_name == now->connection_name &&
                       one.manages[place(of.field)] && !one.terminating;
            }));
    return out;
}

void ClaimsOracle::weigh(const ObjectFacts& object, const Case& of, Standing& out) const {
    const auto& views = from_.kube_views;
    const auto& instances = history_of(from_.truth.instances, object.instance);
    const auto& labels = history_of(from_.truth.namespaces, {"", object.key.first});
    for (const auto* instance :
         views.acceptable(instances, of.client, plurals::instances, of.limit)) {
        if (instance == nullptr || instance->host != of.target.host ||
            !instance->allows_connection(of.target.id) || !may_mean(object, of)) {
            out.definite = false;
            continue;
        }
        bool allowed = allows_namespace(*instance, object.key.first, nullptr);
        if (!allowed && instance->allowed_from == InstanceFacts::From::selector)
            for (const auto* label :
                 views.acceptable(labels, of.client, plurals::namespaces, of.limit)) {
                const bool fits = allows_namespace(*instance, object.key.first, label);
                allowed |= fits;
                out.definite &= fits;
            }
        out.definite &= allowed && must_mean(object, of);
        if (!allowed)
            continue;
        out.possible = true;
        add_keys(*instance, of, out);
    }
    out.since = std::max(
        out.since, shown_since(instances, of.client, plurals::instances, [&](const auto& one) {
            return one.host == of.target.host && one.allows_connection(of.target.id);
        }));
}

// Since when the process has been shown it like this, except for moments.
template<class T, class Like>
rt::TimePoint ClaimsOracle::shown_since(const History<T>& history, const std::string& client,
                                        const char* plural, Like like) const {
    rt::TimePoint since = time_.now();
    std::optional<rt::TimePoint> next; // when the version after this one was seen
    for (auto version = history.rbegin(); version != history.rend(); ++version) {
        const auto seen = from_.kube_views.seen_at(client, plural, version->number);
        if (version->value && like(*version->value))
            since = std::min(since, seen.value_or(since));
        else if (seen && next.value_or(time_.now()) - *seen > glimpse)
            break;
        next = seen ? seen : next;
    }
    return since;
}

// A name means a connection that had it after the object was written: a list that was read before
// tells nothing. What it meant stays, whatever becomes of the name.
bool ClaimsOracle::may_mean(const ObjectFacts& object, const Case& of) const {
    if (object.connection_name.empty())
        return object.connection_id == of.target.id;
    const auto* org = from_.orgs.at(of.target.host);
    const auto since = named_since(object, of);
    return pinned(object, of) ||
           (org != nullptr && since &&
            org->was_named_since(of.target.id, object.connection_name, *since));
}

// Its status says what this very name was resolved to.
bool ClaimsOracle::pinned(const ObjectFacts& object, const Case& of) const {
    const auto statuses = from_.kube_views.acceptable(history_of(from_.truth.statuses, object.key),
                                                      of.client, plurals::objects, of.limit);
    return std::ranges::any_of(statuses, [&](const StatusFacts* status) {
        return status != nullptr && status->uid == object.uid &&
               status->connection_id == of.target.id &&
               status->resolved_from == object.instance.first + "/" + object.instance.second +
                                            ": " + object.connection_name;
    });
}

bool ClaimsOracle::must_mean(const ObjectFacts& object, const Case& of) const {
    if (object.connection_name.empty())
        return object.connection_id == of.target.id;
    const auto& history = history_of(from_.truth.statuses, object.key);
    const auto statuses =
        from_.kube_views.acceptable(history, of.client, plurals::objects, of.limit);
    return std::ranges::all_of(statuses, [&](const StatusFacts* status) {
        return status != nullptr && status->uid == object.uid &&
               status->connection_id == of.target.id &&
               (status->target.host.empty() || status->target.host == of.target.host);
    });
}

// Since when the object has had its name and its instance, as far as the process can know.
std::optional<rt::TimePoint> ClaimsOracle::named_since(const ObjectFacts& object,
                                                       const Case& of) const {
    const auto& history = history_of(from_.truth.objects, object.key);
    auto version =
        std::ranges::find_if(history, [&](const auto& one) { return one.value.get() == &object; });
    if (version == history.end())
        return std::nullopt;
    rt::TimePoint since = version->written;
    const auto seen = [&](const auto& one) {
        return from_.kube_views.seen_at(of.client, plurals::objects, one.number);
    };
    while (version != history.begin()) {
        const auto after = seen(*version);
        --version;
        if (!version->value || version->value->uid != object.uid)
            break;
        if (version->value->connection_name == object.connection_name &&
            version->value->instance == object.instance) {
            since = version->written;
            continue;
        }
        if (const auto before = seen(*version); before && after && *after - *before > glimpse)
            break;
    }
    return since;
}

void ClaimsOracle::add_keys(const InstanceFacts& instance, const Case& of, Standing& out) const {
    const auto& history = history_of(from_.truth.instances, instance.key);
    rt::TimePoint known_since = time_.now();
    rt::TimePoint as_it_is_since = time_.now();
    bool as_it_is = true;
    for (auto version = history.rbegin(); version != history.rend(); ++version) {
        if (!version->value || version->value->uid != instance.uid ||
            version->value->host != instance.host ||
            version->value->token_secret != instance.token_secret)
            break;
        known_since = from_.kube_views.seen_at(of.client, plurals::instances, version->number)
                          .value_or(known_since);
        as_it_is &= *version->value == instance;
        if (as_it_is)
            as_it_is_since = known_since;
    }
    const auto tokens =
        from_.kube_views.acceptable(history_of(from_.truth.secrets, instance.token_secret),
                                    of.client, plurals::secrets, of.limit - token_reading);
    for (const auto* secret : tokens)
        if (secret == nullptr || secret->token.empty())
            out.may_lack_key = true;
        else
            out.keys.push_back({.instance = std::make_shared<const InstanceFacts>(instance),
                                .token = secret->token,
                                .known_since = known_since,
                                .as_it_is_since = as_it_is_since});
}

ClaimsOracle::Proof ClaimsOracle::proof(const Name& object, const Standing& standing,
                                        const Case& of) const {
    Proof out;
    bool by_status = true;
    rt::TimePoint limit = of.limit;
    if (const auto write = unanswered_writes_.find({of.client, object});
        write != unanswered_writes_.end())
        limit = std::min(limit, write->second - rt::Duration(1)); // nor by its echo in the watch
    for (const auto* status : from_.kube_views.acceptable(history_of(from_.truth.statuses, object),
                                                          of.client, plurals::objects, limit)) {
        const bool tells = status != nullptr && status->target == of.target;
        out.possible |= tells && status->sent_anything();
        // What was applied for another spec was perhaps applied through another instance.
        by_status &= tells && status->applied[place(of.field)] &&
                     std::ranges::all_of(standing.objects, [&](const ObjectFacts* one) {
                         return one->generation == status->observed_generation;
                     });
    }
    bool by_key = !standing.keys.empty();
    out.unknown = !standing.keys.empty();
    for (const Key& key : standing.keys) {
        const KeyView& view = from_.omni_views.of(of.client, of.target.host, key.token);
        out.possible |= view.ever_showed(of.target.id);
        out.behind |= view.was_refused_the_list();
        out.unknown &= view.tells_nothing() && !key.instance->suspended;
        by_key &= !key.instance->suspended && key.as_it_is_since + looking_again <= of.limit &&
                  view.showed_lastingly(of.target.id, key.known_since, of.limit);
    }
    out.definite = by_status || by_key;
    return out;
}

// Its status says, or said a moment ago, that it applied the field there.
bool ClaimsOracle::holds_by_status(const Name& object, const Case& of) const {
    const auto& history = history_of(from_.truth.statuses, object);
    for (auto version = history.rbegin(); version != history.rend(); ++version) {
        if (version->value && version->value->target == of.target &&
            (version->value->applied[place(of.field)] ||
             version->value->unanswered[place(of.field)]))
            return true;
        if (version->written < std::min(of.limit, from_.lease.since()))
            return false;
    }
    return false;
}

} // namespace oco::sim
