// What an OmniConnection needs next, decided from one look at the world and what is known of it.
// Pure: no clock, no I/O, nobody else's tables. What is decided is carried out by Reconciliation,
// which then looks again.
#pragma once

#include "reconcile/connection/connection_state.hpp"
#include "reconcile/connection/observation.hpp"
#include "reconcile/connection/targets.hpp"

#include <string>
#include <variant>
#include <vector>

namespace oco::reconcile {

// Nothing more for now: what the status is to say, and when to look again.
struct Finish {
    Outcome outcome;
};

// The credential's Secret is to be read, from the watch cache of the API server if `not_older_than`
// is given.
struct ReadSecret {
    ObjectKey secret;
    std::string key;
    std::string passphrase_key; // empty: none
    omni::CredentialKind kind{};
    std::string not_older_than;
};

// The value that was read is to be checked, and converted into what is sent.
struct PrepareCredential {};

// One PATCH with these fields.
struct Send {
    FieldSet fields;
    work::RequestClass request_class = work::RequestClass::settings;
};

using Action = std::variant<Finish, ReadSecret, PrepareCredential, Send>;

// What is found on the way, and said at once.
struct DriftFound {
    omni::Field field{};
    bool given_up = false; // it was set right too often
};

struct Decision {
    Action action;
    std::optional<ListRequest> list; // that is wanted
    std::vector<DriftFound> drift;
    Digests digests;  // of the wanted values
    FieldSet pending; // that Omni lacks
    // Of other fields than those to be sent: what is the matter with the worst.
    std::optional<Outcome> problem;
};

Decision decide(const Observation& seen, const DigestKey& digest_key, ConnectionState& state,
                TargetState& fields);

// The reconcile requests of one object cost one list in this time.
inline constexpr rt::Duration request_interval = std::chrono::seconds(10);

// The spec is another, or somebody asks for a reconcile: what was learnt for the last one is void.
// Yields the list that the request wants.
std::optional<ListRequest> follow_spec(const Observation& seen, ConnectionState& state);

// Identity of what is being tried: another one is tried at once, whatever failed before.
std::string retry_signature(const Observation& seen, const Digests& digests);

} // namespace oco::reconcile
