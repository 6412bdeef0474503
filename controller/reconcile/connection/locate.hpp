// Where an OmniConnection's fields go: its OmniInstance, whether it may use it, and which
// connection it names. Pure.
#pragma once

#include "reconcile/connection/connection_state.hpp"
#include "reconcile/connection/observation.hpp"

namespace oco::reconcile {

struct Place {
    Target target;                                  // empty: nowhere, or not known
    std::optional<Outcome> outcome = std::nullopt;  // why not
    std::optional<ListRequest> list = std::nullopt; // that is wanted
};

// Follows the spec: pins what spec.connectionName means, by a list from after it was seen.
Place locate(const Observation& seen, ConnectionState& state);

// What a name is resolved from, as the status says it.
std::string resolved_from(const api::OmniConnection& object);
// The object names another instance or another name, if only until it is looked at: what was pinned
// before is void.
void drop_pin_of_another(ConnectionState& state, const api::OmniConnection& object);
// What a process that ended before had pinned.
void restore_pin(ConnectionState& state, const api::OmniConnection& object);

// What a name means goes by these: another meaning has to be resolved again.
std::string meaning_of(const api::OmniConnection& object, const std::string& host);

// Where the object names, as far as that is known without looking anything up; the id is empty
// where a name is not resolved. Nullopt: nowhere, since it may not.
std::optional<Target> named_target(const api::OmniConnection& object,
                                   const api::OmniInstance& instance, const NamePin& pin);

// --- shared with decide.cpp: what the list of connections tells
// A list is on its way, unless the instance says why not.
Outcome await_list(const Observation& seen, std::string message);
// What only another list can change is looked at again this often.
inline constexpr rt::Duration slow_probe_interval = std::chrono::minutes(10);
// Only another list can change the outcome: one is read now and then.
Outcome until_listed_otherwise(const Observation& seen, std::optional<ListRequest>& list,
                               Outcome outcome);
// Something is pending that a suspended OmniInstance holds back.
Outcome suspended_instance();
// The instance's shape and message; a refused key and a spent budget keep their own reason.
Outcome instance_not_ready(const Observation& seen);

} // namespace oco::reconcile
