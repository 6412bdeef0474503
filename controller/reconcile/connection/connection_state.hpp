// What the operator remembers of one OmniConnection between reconciles, beyond its status.
#pragma once

#include "api/omni_connection.hpp"
#include "reconcile/account/account_client.hpp"
#include "reconcile/connection/drift.hpp"
#include "reconcile/connection/in_doubt_values.hpp"
#include "reconcile/connection/plan.hpp"
#include "reconcile/status/outcome.hpp"
#include "reconcile/status/status_writer.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace oco::reconcile {

// A value that was sent although an earlier attempt with another value is unaccounted for, and may
// still be carried out: it is sent once more before it counts.
struct Settling {
    std::string digest;
    rt::TimePoint due{};
};

struct ConnectionState {
    std::string uid;
    std::int64_t generation = 0;
    // What is to be in the object's status: written, or about to be. What others make of the status
    // there is undone. Without conditions of others.
    api::OmniConnection::Status status;
    StatusSchedule schedule; // how much of it is written
    Announced announced;
    Outcome outcome; // of the last reconcile

    // A dry run:
    std::string adopted; // print of the status of others that this began with
    std::string told;    // what was last reported to be sent; empty: nothing

    // What Omni holds of these is not known: an attempt ended without a definite answer.
    FieldSet unknown;
    InDoubtValues in_doubt; // of attempts that went unanswered
    FieldSet in_flight;     // of the PATCH under way
    std::map<omni::Field, Settling> settling;
    // The fields that were accepted for this token of forceAt, until the status has the token too.
    std::string force_token;
    FieldSet forced;
    Refusals refusals;
    std::string refusal_message;

    // Failures in a row of the attempt described by `attempt`; something else is tried at once.
    std::string retry_key;
    int failures = 0;
    std::optional<rt::TimePoint> next_attempt;
    Outcome failure; // why there is a next attempt

    // This process has compared the Secret with the status once.
    bool compared = false;
    std::string pinned; // the instance and the connectionName that status.connectionID is for

    std::optional<rt::TimePoint> key_refused_at; // a PATCH was answered 401 or 403
    std::string key_refused_message;
    std::optional<rt::TimePoint> not_found_at; // Omni did not know the connection
    std::optional<rt::TimePoint> lookup_since; // waits for a list read after this
    std::string request_seen;                  // the newest reconcile request
    std::optional<rt::TimePoint> requested_at; // it still waits for a list read after this
    Drift drift;
    // Where the key waits for a slot; null: nowhere.
    std::shared_ptr<Account> waits_at;

    std::optional<rt::TimePoint> pending_since;     // something wanted is not in Omni yet
    std::optional<rt::TimePoint> secret_changed_at; // observed, and not accepted yet
    std::optional<rt::TimePoint> waiting_since;     // a transient outcome has lasted from here
};

// What state.status says an earlier process was never answered: a value that we do not know may
// land late, so that what is sent next settles. Unless something was accepted since, what Omni
// holds is unknown.
void recall_unanswered(ConnectionState& state, rt::TimePoint now);

// For status.unanswered: of the fields that `object` manages, those of unanswered attempts.
FieldSet unanswered_fields(const ConnectionState& state, const api::OmniConnection& object,
                           rt::TimePoint now);

// The PATCH under way was cut: nobody will know what became of it. Leaves state.status so that the
// next process does.
void note_cut(ConnectionState& state, const api::OmniConnection& object, rt::TimePoint now,
              WallTime wall_now);

} // namespace oco::reconcile
