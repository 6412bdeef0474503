// Rows of the tables that decisions are tested by, and what many of them begin with.
#pragma once

#include "scene.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <span>

namespace oco::test {

using namespace reconcile;
using namespace std::chrono_literals;
using omni::Field;

struct DecideRow {
    std::string name;
    std::function<void(Scene&)> given;
    std::string expected;
    std::string message = {}; // a part of it
};

inline void check_rows(std::span<const DecideRow> rows) {
    for (const DecideRow& row : rows) {
        CAPTURE(row.name);
        Scene scene;
        row.given(scene);
        const Decision decision = scene.decide();
        CHECK(test::say(decision, scene.now) == row.expected);
        const std::string message = test::message_of(decision);
        CHECK(message.find(row.message) != std::string::npos);
        CHECK(message.size() <= 512);
    }
}

// A new value that was read, and nothing else to do.
inline void new_value(Scene& s) {
    s.read("6", "d6");
}

inline void new_role(Scene& s) {
    s.object.base_role = "QUERIER";
    s.directory.by_id["c1"].base_role = "QUERIER";
}

// An attempt at what is pending failed before.
inline void failed_before(Scene& s, std::string_view why, std::optional<rt::TimePoint> next_attempt,
                          int failures = 1) {
    s.decide(); // so that the retry is of this very attempt
    s.state.retry.failures = failures;
    s.state.retry.next_attempt = next_attempt;
    s.state.retry.why = outcome(why, "as before");
}

inline void refuse(Scene& s, const FieldSet& together) {
    s.state.refusals.add(combined_digest(s.wanted(), together));
    s.state.refusal_message = "Omni said no";
}

inline void hold(Scene& s, Field field, HeldBy how, const ObjectKey& other = {},
                 std::optional<rt::TimePoint> decided_at = {}) {
    s.rest.holders[field] = {.by = how, .other = other, .decided_at = decided_at};
}

inline void read_failed(Scene& s, ErrorClass kind) {
    s.secret_at("6");
    s.read("6", "");
    s.rest.reading->has_value = false;
    s.rest.reading->prepared.reset();
    s.rest.reading->error = make_error(kind, "trouble");
}

inline void refused_key(Scene& s, bool key_named, std::optional<rt::TimePoint> accepted_at) {
    new_value(s);
    s.decide();
    s.state.key_doubt = {.refused_at = s.now - 5s, .message = "no", .key_named = key_named};
    s.view.accepted_at = accepted_at;
}

inline void snowflake_key_with_passphrase(Scene& s) {
    s.object.credential->kind = omni::CredentialKind::snowflake_private_key;
    s.object.credential->passphrase_key = "phrase";
    s.directory.by_id["c1"].dialect = "snowflake";
    s.read("6", "d6");
    s.rest.reading->has_passphrase = true;
}

// The operator has another digest key than the one that the status was written under.
inline void other_digest_key(Scene& s) {
    auto entry = *s.applied_credential();
    entry.key_id = "k0";
    s.apply_credential(entry);
}

// Omni took the new role, but an earlier one may arrive late.
inline void confirming_role(Scene& s, rt::TimePoint accepted_at) {
    new_role(s);
    FieldState& role = s.fields[Field::base_role];
    role.begin_sending("u", "other");
    role.unanswered(LandsLate::maybe, accepted_at);
    role.begin_sending("u", s.wanted().at(Field::base_role));
    role.accepted(api::AppliedBaseRole{.value = "QUERIER"}, accepted_at);
}

} // namespace oco::test
