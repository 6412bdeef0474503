#include "reconcile/connection/locate.hpp"

#include "base/mutation.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace oco::reconcile {
namespace {

constexpr rt::Duration reread_patience = std::chrono::seconds(10);
constexpr std::size_t longest_name_shown = 128;

using Step = std::optional<Outcome>; // nullopt: go on

std::string quoted(const std::string& name) {
    return "\"" + printable(name, longest_name_shown) + "\"";
}

std::string hint_for(const std::string& name) {
    if (name.find("://") == std::string::npos)
        return {};
    return "; a connection's name is what Omni shows, not its address (for the ID in the address "
           "there is spec.connectionID)";
}

// Whoever has sent something before goes on for a while, until it is known whether it still may.
bool goes_on(const Observation& seen, const ConnectionState& state) {
    return !state.vouched.targets().empty() &&
           (!state.unproved_since || seen.now < *state.unproved_since + longest_doubt);
}

// An instance of another namespace that is absent and one that does not allow this one read alike.
Step check_instance(const Observation& seen, const ConnectionState& state) {
    const ObjectKey& key = seen.object->instance;
    const std::string& ns = seen.object->meta.key.ns;
    if (seen.unread && seen.unread->second.refused)
        return outcome(reason::namespace_not_allowed,
                       "nothing is sent, because the operator cannot watch namespace " +
                           seen.unread->first + ": " + seen.unread->second.why);
    if (seen.unread)
        return transient("the operator is reading namespace " + seen.unread->first);
    if (!seen.namespace_watched)
        return outcome(reason::namespace_not_allowed,
                       "the operator does not watch namespace " + key.ns +
                           " of the OmniInstance; add it to --namespace");
    if (seen.instance && seen.allowed == Allowance::unknown && !goes_on(seen, state))
        return seen.namespaces_trouble.empty()
                   ? transient("checking whether the OmniInstance allows this namespace")
                   : outcome(reason::namespace_not_allowed,
                             "cannot check whether an OmniInstance allows this namespace: " +
                                 seen.namespaces_trouble);
    if (key.ns != ns && (!seen.instance || seen.allowed == Allowance::no) &&
        !seen.namespaces_trouble.empty())
        return outcome(reason::namespace_not_allowed,
                       "cannot check whether an OmniInstance allows this namespace: " +
                           seen.namespaces_trouble);
    if (key.ns != ns && (!seen.instance || seen.allowed == Allowance::no))
        return outcome(reason::namespace_not_allowed,
                       "OmniInstance " + key.str() +
                           " does not exist or does not allow namespace " + ns +
                           "; create it, or add the namespace to its spec.allowedNamespaces");
    if (!seen.instance)
        return outcome(reason::instance_not_found, "OmniInstance " + key.str() +
                                                       " does not exist; create it, or correct "
                                                       "spec.instanceRef");
    return std::nullopt;
}

std::vector<std::string> ids_named(const Directory& directory, const Observation& seen) {
    std::vector<std::string> ids;
    const auto& visible = seen.instance->allowed_connections;
    for (const auto& [id, info] : directory.by_id)
        if (!info.deleted && info.name == seen.object->connection_name &&
            (!visible || visible->contains(id)))
            ids.push_back(id);
    return ids;
}

// Omni shows connections that were deleted.
bool is_deleted(const std::string& id, const Observation& seen) {
    const auto* info = seen.view ? seen.view->directory->find(id) : nullptr;
    return info != nullptr && info->deleted;
}

// A name is looked up once, by a list that was read after it was seen: what it means in Omni may
// change hands.
Place resolve_name(const Observation& seen, ConnectionState& state) {
    NamePin& pin = state.pin;
    if (!seen.view)
        return {.target = {}, .outcome = transient("the OmniInstance is being reconciled")};
    if (!seen.view->usable)
        return {.target = {}, .outcome = instance_not_ready(seen)};
    const Directory& directory = *seen.view->directory;
    Place nowhere;
    if (directory.refused) {
        nowhere.outcome = until_listed_otherwise(
            seen, nowhere.list,
            outcome(reason::forbidden, "the API key may not list connections, so "
                                       "spec.connectionName can't be resolved; use "
                                       "spec.connectionID"));
        return nowhere;
    }
    if (!pin.since)
        pin.since = seen.now;
    const bool young = directory.asked_at >= pin.since || mutated("name-from-an-old-list");
    if (!directory.asked_at || !young)
        return {.target = {},
                .outcome = await_list(seen, "the list of connections is being read"),
                .list = ListRequest{.since = *pin.since}};
    auto ids = ids_named(directory, seen);
    if (ids.size() == 1) {
        pin.id = std::move(ids.front());
        pin.since.reset();
        return {.target = {.host = seen.view->client->host, .connection_id = pin.id}};
    }
    nowhere.outcome = until_listed_otherwise(
        seen, nowhere.list,
        ids.empty()
            ? outcome(reason::connection_not_found,
                      "Omni has no connection named " + quoted(seen.object->connection_name) +
                          ", or the API key may not see it; correct spec.connectionName "
                          "(upper and lower case count), or create the connection" +
                          hint_for(seen.object->connection_name))
            : outcome(reason::connection_name_ambiguous,
                      std::to_string(ids.size()) + " connections are named " +
                          quoted(seen.object->connection_name) + "; use spec.connectionID"));
    return nowhere;
}

} // namespace

std::string meaning_of(const api::OmniConnection& object, const std::string& host) {
    return object.instance.str() + " " + host + " " + object.connection_name;
}

Outcome await_list(const Observation& seen, std::string message) {
    const Outcome& theirs = seen.view->outcome;
    return theirs.readiness == Readiness::failing ? outcome(theirs.reason, theirs.message)
                                                  : transient(std::move(message));
}

Outcome until_listed_otherwise(const Observation& seen, std::optional<ListRequest>& list,
                               Outcome outcome) {
    const auto next = seen.view->directory->asked_at.value_or(seen.now) + slow_probe_interval;
    if (seen.now >= next)
        list = ListRequest{.since = next};
    outcome.requeue_at = std::max(next, seen.now + reread_patience);
    return outcome;
}

Outcome suspended_instance() {
    Outcome waits =
        outcome(reason::suspended, "the OmniInstance is suspended, and changes are pending");
    waits.readiness = Readiness::stalled;
    return waits;
}

Outcome instance_not_ready(const Observation& seen) {
    const Outcome& theirs = seen.view->outcome;
    if (theirs.reason == reason::unauthorized || theirs.reason == reason::rate_limited) {
        Outcome same = outcome(theirs.reason, theirs.message);
        same.transient = theirs.reason == reason::rate_limited;
        return same;
    }
    if (theirs.reason == reason::suspended)
        return suspended_instance();
    Outcome copy =
        outcome(reason::instance_not_ready, "OmniInstance " + seen.instance->meta.key.str() +
                                                " is " + theirs.reason + ": " + theirs.message);
    copy.readiness =
        theirs.readiness == Readiness::ready ? Readiness::progressing : theirs.readiness;
    copy.transient = theirs.reason == reason::progressing;
    return copy;
}

std::optional<Target> named_target(const api::OmniConnection& object,
                                   const api::OmniInstance& instance, const NamePin& pin) {
    const auto url = parse_base_url(instance.base_url);
    if (!url)
        return std::nullopt;
    Target target{.host = url->label(), .connection_id = object.connection_id};
    if (object.connection_id.empty() && pin.meaning == meaning_of(object, target.host))
        target.connection_id = pin.id;
    const auto& allowed = instance.allowed_connections;
    if (allowed && !target.connection_id.empty() && !allowed->contains(target.connection_id))
        return std::nullopt;
    return target;
}

std::string resolved_from(const api::OmniConnection& object) {
    return object.instance.str() + ": " + object.connection_name;
}

void restore_pin(ConnectionState& state, const api::OmniConnection& object) {
    const auto& status = object.status;
    // The status's id is for the instance, the name and the host that it says.
    if (object.connection_name.empty() || status.connection_id.empty() ||
        status.resolved_from != resolved_from(object) ||
        status.applied.target.connection_id != status.connection_id)
        return;
    state.pin = {.meaning = meaning_of(object, status.applied.target.host),
                 .id = status.connection_id,
                 .from = status.resolved_from};
}

// Whatever comes of the instance: a name of another is resolved again, and so is one that was not
// named for a while.
void drop_pin_of_another(ConnectionState& state, const api::OmniConnection& object) {
    if (object.connection_name.empty() || state.pin.from != resolved_from(object))
        state.pin = {};
}

Place locate(const Observation& seen, ConnectionState& state) {
    drop_pin_of_another(state, *seen.object);
    if (auto why = check_instance(seen, state))
        return {.target = {}, .outcome = std::move(why)};
    const auto url = parse_base_url(seen.instance->base_url);
    if (!url)
        return {.target = {}, .outcome = outcome(reason::host_not_allowed, url.error().message)};
    const std::string host = url->label();
    Place place{.target = {.host = host, .connection_id = seen.object->connection_id}};
    if (seen.object->connection_id.empty()) {
        const std::string meaning = meaning_of(*seen.object, host);
        if (state.pin.meaning != meaning)
            state.pin = {
                .meaning = meaning, .since = seen.now, .from = resolved_from(*seen.object)};
        else if (is_deleted(state.pin.id, seen)) // as after a 404: by the same list at the earliest
            state.pin = {.meaning = meaning,
                         .since = seen.view->directory->asked_at,
                         .from = state.pin.from};
        place.target.connection_id = state.pin.id;
        if (state.pin.id.empty())
            place = resolve_name(seen, state);
    }
    const auto& allowed = seen.instance->allowed_connections;
    if (!place.outcome && allowed && !allowed->contains(place.target.connection_id))
        return {.target = {},
                .outcome = outcome(reason::connection_not_allowed,
                                   "OmniInstance " + seen.instance->meta.key.str() +
                                       " does not allow this connection; add its ID to "
                                       "spec.allowedConnections there")};
    return place;
}

} // namespace oco::reconcile
