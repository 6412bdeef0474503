// What the operator knows of one OmniConnection between reconciles, beyond its fields in Omni
// (targets.hpp).
#pragma once

#include "api/omni_connection.hpp"
#include "reconcile/account/account_client.hpp"
#include "reconcile/connection/drift.hpp"
#include "reconcile/connection/refusals.hpp"
#include "reconcile/connection/vouched.hpp"
#include "reconcile/status/outcome.hpp"
#include "reconcile/status/status_writer.hpp"
#include "rt/backoff.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace oco::reconcile {

// Which connection spec.connectionName means: resolved once, and pinned.
struct NamePin {
    std::string meaning;                  // the instance, the host and the name that `id` is for
    std::string id;                       // empty: not resolved
    std::optional<rt::TimePoint> since{}; // a list must be younger to resolve it
    std::string from{};                   // the instance and the name
};

inline constexpr rt::BackoffPolicy push_backoff{.first = std::chrono::seconds(1),
                                                .longest = std::chrono::minutes(5)};

// Failures in a row of what is described by `signature`; something else is tried at once.
struct Retry {
    std::string signature;
    bool attempted = false; // the next attempt is a retry
    int failures = 0;
    std::optional<rt::TimePoint> next_attempt;
    Outcome why; // there is a next attempt
};

// A PATCH was answered 401 or 403, and whether that is the key's fault is being asked.
struct KeyDoubt {
    std::optional<rt::TimePoint> refused_at;
    std::string message;
    bool key_named = false; // 401, which names the key and not its rights
    bool retried = false;   // the key is good again: it was tried at once
};

struct ConnectionState {
    std::string uid;

    // --- the status
    // What is to be in the object's status: written, or about to be. What others make of it is
    // undone. Without conditions of others.
    api::OmniConnection::Status status;
    StatusSchedule schedule; // how much of it is written
    Vouched vouched;         // what the API server may say is applied
    // The OmniInstance that it was sent through: for another it proves nothing. Nullopt: not known.
    std::optional<ObjectKey> vouched_through;
    Announced announced;
    std::string restored; // fingerprint of the status that this began with
    Outcome outcome;      // of the last reconcile

    // --- where
    Target target; // whose fields are this object's, as it last named them
    NamePin pin;
    // Since when its right to the connection is a question; nullopt: there is no question.
    std::optional<rt::TimePoint> unproved_since;
    // Since when it waits for the proofs of others, who may come and go meanwhile, and since when
    // there is none of them to wait for.
    std::optional<rt::TimePoint> undecided_since;
    std::optional<rt::TimePoint> decided_since;
    std::optional<Claim> claimed; // as others were last told

    // --- what
    std::int64_t generation_seen = -1; // of the spec that the rest is about
    // The kind of credential that the applied one was compared as; its Secret does not tell.
    std::optional<omni::CredentialKind> compared_kind;
    // The fields that were accepted for this token of forceAt, until the status has the token too.
    std::string force_token;
    std::string refusals_forgotten_for; // a token of force: each asks once more
    FieldSet forced;
    bool force_pending = false; // something is to be sent for the token that is not sent yet
    Refusals refusals;
    std::string refusal_message;
    Drift drift;

    // --- whether now
    Retry retry;
    KeyDoubt key_doubt;
    std::optional<rt::TimePoint> not_found_at; // Omni did not know the connection
    std::optional<rt::TimePoint> lookup_since; // waits for a list read after this
    std::string request_seen;                  // the newest reconcile request
    std::optional<rt::TimePoint> requested_at; // it still waits for a list read after this
    std::optional<rt::TimePoint> list_for_request_at;
    // Where the key waits for a slot; null: nowhere.
    std::shared_ptr<Account> waits_at;

    // --- for metrics and patience
    std::optional<rt::TimePoint> pending_since;     // something wanted is not in Omni yet
    std::optional<rt::TimePoint> secret_changed_at; // observed, and not accepted yet
    std::optional<rt::TimePoint> waiting_since;     // a transient outcome has lasted from here

    // Another connection, or another OmniInstance: what was learnt there says nothing here.
    void turn_to(Target next);
};

// Not null. A reconcile that waits holds the state it works on, in the table or not.
using ConnectionStates = std::unordered_map<ObjectKey, std::shared_ptr<ConnectionState>>;

} // namespace oco::reconcile
