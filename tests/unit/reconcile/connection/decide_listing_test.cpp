// What follows from the list of Omni's connections: dialects, connections that are gone, drift, and
// requests for a reconcile.
#include "decide_rows.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace oco;
using namespace oco::reconcile;
using namespace oco::test;
using namespace std::chrono_literals;
using omni::Field;

TEST_CASE("decide: no credential without the connection's dialect") {
    const auto unknown = [](Scene& s) {
        new_value(s);
        s.state.status.dialect.clear();
        s.directory.by_id.clear();
    };
    const DecideRow rows[] = {
        {"no list yet",
         [&](Scene& s) {
             unknown(s);
             s.directory.asked_at.reset();
         },
         "Progressing progressing soon; list+0"},
        {"an old list does not show it", unknown, "Progressing progressing soon; list+0"},
        {"the list that is waited for stays the same",
         [&](Scene& s) {
             unknown(s);
             s.state.lookup_since = s.now - 5s;
         },
         "Progressing progressing soon; list-5"},
        {"no list, and the instance says why",
         [&](Scene& s) {
             unknown(s);
             s.view.outcome = outcome(reason::omni_unavailable, "502");
         },
         "OmniUnavailable failing; list+0", "502"},
        {"a list from now does not show it",
         [&](Scene& s) {
             unknown(s);
             s.state.lookup_since = s.now - 5s;
             s.directory.asked_at = s.now - 4s;
         },
         "ConnectionNotFound stalled again+596"},
        {"not shown for long: now and then another list",
         [&](Scene& s) {
             unknown(s);
             s.state.lookup_since = s.now - 1h;
             s.directory.asked_at = s.now - 10min;
         },
         "ConnectionNotFound stalled again+10; list+0"},
        {"a setting alone needs none",
         [&](Scene& s) {
             unknown(s);
             s.read("6", "d5");
             new_role(s);
             s.directory.by_id.clear();
         },
         "send base_role as settings"},
        {"it was read once, and the list does not show it: Omni's answer says more",
         [](Scene& s) {
             new_value(s);
             s.directory.by_id.clear();
         },
         "send credential as rotation"},
        {"reading is refused",
         [&](Scene& s) {
             unknown(s);
             s.directory.refused = true;
             s.directory.asked_at.reset();
         },
         "send credential as rotation"},
        {"another dialect than the credential is for",
         [](Scene& s) {
             new_value(s);
             s.directory.by_id["c1"].dialect = "bigquery";
         },
         "CredentialKindMismatch stalled"},
        {"a service account's file for a Postgres connection",
         [](Scene& s) {
             s.object.credential->kind = omni::CredentialKind::bigquery_service_account;
             new_value(s);
         },
         "CredentialKindMismatch stalled"},
        {"the list's dialect counts, and not the one of long ago",
         [](Scene& s) {
             new_value(s);
             s.state.status.dialect = "bigquery";
         },
         "send credential as rotation"},
        {"a setting goes beside a credential that does not fit",
         [](Scene& s) {
             s.change_all();
             s.directory.by_id["c1"].dialect = "bigquery";
         },
         "send base_role as settings"},
    };
    check_rows(rows);
}

TEST_CASE("decide: a connection that is not there") {
    const auto not_found = [](rt::Duration list_after) {
        return [list_after](Scene& s) {
            new_value(s);
            s.state.not_found_at = s.state.lookup_since = s.now - 60s;
            s.directory.asked_at = s.now - 60s + list_after;
        };
    };
    const auto gone = [](Scene& s) {
        s.directory.by_id.clear();
    };
    const DecideRow rows[] = {
        {"404: a list from after it is waited for", not_found(-1s),
         "Progressing progressing soon; list-60"},
        {"404: the list shows it", not_found(10s), "send credential as rotation"},
        {"404: the list does not show it",
         [&](Scene& s) {
             not_found(10s)(s);
             gone(s);
         },
         "ConnectionNotFound stalled again+550", "spec.connectionID"},
        {"404: the list shows it as deleted",
         [&](Scene& s) {
             not_found(10s)(s);
             s.directory.by_id["c1"].deleted = true;
         },
         "ConnectionNotFound stalled again+550"},
        {"404: named by name",
         [&](Scene& s) {
             not_found(10s)(s);
             gone(s);
             s.object.connection_id.clear();
             s.object.connection_name = "main";
         },
         "ConnectionNotFound stalled again+550", "spec.connectionName"},
        {"404: reading is refused",
         [&](Scene& s) {
             not_found(-1s)(s);
             s.directory.refused = true;
         },
         "send credential as rotation"},
        {"in step, and an old list does not show it", gone, "Progressing progressing soon; list+0"},
        {"in step, and the list does not show it",
         [&](Scene& s) {
             gone(s);
             s.state.lookup_since = s.directory.asked_at = s.now - 5s;
         },
         "ConnectionNotFound stalled again+595"},
        {"deleted, by an old list", [](Scene& s) { s.directory.by_id["c1"].deleted = true; },
         "Progressing progressing soon; list+0"},
        {"deleted, though nothing waits to be sent",
         [](Scene& s) {
             s.directory.by_id["c1"].deleted = true;
             s.state.lookup_since = s.directory.asked_at = s.now - 5s;
         },
         "ConnectionNotFound stalled again+595"},
        {"deleted: nothing is sent",
         [](Scene& s) {
             new_value(s);
             s.directory.by_id["c1"].deleted = true;
             s.state.lookup_since = s.directory.asked_at = s.now - 5s;
         },
         "ConnectionNotFound stalled again+595"},
    };
    check_rows(rows);
}

TEST_CASE("decide: drift") {
    const auto drifted = [](Scene& s) {
        s.object.drift_check_interval = 1h;
        s.directory.by_id["c1"].base_role = "QUERIER";
    };
    const DecideRow rows[] = {
        {"in step: again when the list is an interval old",
         [](Scene& s) { s.object.drift_check_interval = 1h; }, "Synced ready again+3000"},
        {"a setting that others changed", drifted, "send base_role as drift_correction"},
        {"off",
         [&](Scene& s) {
             drifted(s);
             s.object.drift_check_interval = 0s;
         },
         "Synced ready"},
        {"off, but somebody asks for a reconcile",
         [&](Scene& s) {
             drifted(s);
             s.object.drift_check_interval = 0s;
             s.state.requested_at = s.now - 11min;
         },
         "send base_role as drift_correction"},
        {"a list from before the push says nothing",
         [&](Scene& s) {
             drifted(s);
             s.state.drift.pushed(Field::base_role, s.now - 5min);
         },
         "Synced ready again+3000"},
        {"a role that Omni tells nothing of",
         [&](Scene& s) {
             drifted(s);
             s.directory.by_id["c1"].base_role.reset();
         },
         "Synced ready again+3000"},
        {"a role of two names",
         [&](Scene& s) {
             drifted(s);
             s.object.base_role = "QUERY_TOPICS";
             s.apply_role("QUERY_TOPICS");
             s.directory.by_id["c1"].base_role = "RESTRICTED_QUERIER";
         },
         "Synced ready again+3000"},
        {"a correction that did not last twice is given up",
         [&](Scene& s) {
             drifted(s);
             for (const auto ago : {30min, 20min}) {
                 s.state.drift.judge(Field::base_role, true, s.now - ago);
                 s.state.drift.pushed(Field::base_role, s.now - ago);
             }
         },
         "Synced ready again+3000", "no longer corrected"},
        {"a change of ours is no correction",
         [&](Scene& s) {
             drifted(s);
             s.object.base_role = "RESTRICTED_QUERIER";
         },
         "send base_role as settings"},
        {"the list is an interval old",
         [](Scene& s) {
             s.object.drift_check_interval = 1h;
             s.directory.asked_at = s.now - 1h;
         },
         "Synced ready; list+0 for drift"},
        {"a credential alone needs no list",
         [](Scene& s) {
             s.object.drift_check_interval = 1h;
             s.object.base_role.reset();
         },
         "Synced ready"},
        {"not while suspended",
         [&](Scene& s) {
             drifted(s);
             s.object.suspend = true;
         },
         "Suspended stalled"},
    };
    check_rows(rows);

    Scene scene;
    drifted(scene);
    const Decision first = scene.decide();
    REQUIRE(first.drift.size() == 1);
    CHECK(first.drift[0].field == Field::base_role);
    CHECK_FALSE(first.drift[0].given_up);
    CHECK(scene.decide().drift.empty()); // it is no news
}

TEST_CASE("decide: a reconcile that was asked for ends with a list from then on") {
    const DecideRow rows[] = {
        {"a list is wanted",
         [](Scene& s) { s.state.requested_at = s.state.list_for_request_at = s.now - 1s; },
         "Progressing progressing soon; list-1"},
        {"the list came",
         [](Scene& s) {
             s.state.requested_at = s.state.list_for_request_at = s.now - 2s;
             s.directory.asked_at = s.now - 1s;
         },
         "Synced ready"},
        {"a list was read for another request a moment ago",
         [](Scene& s) {
             s.state.list_for_request_at = s.now - 4s;
             s.state.requested_at = s.now;
         },
         "Progressing progressing soon again+6"},
        {"and is old enough now",
         [](Scene& s) {
             s.state.list_for_request_at = s.now - 10s;
             s.state.requested_at = s.now - 5s;
         },
         "Progressing progressing soon; list+0"},
        {"reading is refused",
         [](Scene& s) {
             s.state.requested_at = s.state.list_for_request_at = s.now - 1s;
             s.directory.refused = true;
         },
         "Synced ready; list+0 for drift"}, // whether it still is
        {"what is pending goes first",
         [](Scene& s) {
             s.state.requested_at = s.state.list_for_request_at = s.now - 1s;
             new_role(s);
         },
         "send base_role as settings"},
    };
    check_rows(rows);
}

TEST_CASE("decide: requests four times a second cost one list each ten seconds") {
    Scene scene;
    std::set<rt::TimePoint> lists;
    std::optional<rt::TimePoint> arrives_at;
    const auto ask = [&](const std::optional<ListRequest>& list) {
        if (!list || list->since <= scene.directory.asked_at)
            return;
        if (lists.insert(list->since).second)
            arrives_at = scene.now + 1s;
    };
    const rt::TimePoint end = scene.now + 60s;
    for (int token = 0; scene.now < end; scene.now += 250ms) {
        if (arrives_at && scene.now >= *arrives_at) {
            scene.directory.asked_at = *arrives_at - 1s;
            arrives_at.reset();
        }
        scene.object.reconcile_requested_at = std::to_string(++token);
        ask(follow_spec(scene.look(), scene.state));
        ask(scene.decide().list);
    }
    CHECK(lists.size() <= 7);
    CHECK(lists.size() >= 5);
    // Once nobody asks any more, it ends.
    for (const rt::TimePoint quiet = scene.now + 15s; scene.now < quiet; scene.now += 250ms) {
        if (arrives_at && scene.now >= *arrives_at)
            scene.directory.asked_at = *arrives_at - 1s;
        ask(scene.decide().list);
    }
    CHECK(test::say(scene.decide(), scene.now) == "Synced ready");
}

TEST_CASE("a request or another spec makes what was learnt void") {
    struct Row {
        std::string name;
        std::function<void(Scene&)> given;
        std::string expected; // the list that is wanted
        bool begins_again;
    };

    const Row rows[] = {
        {"nothing new", [](Scene&) {}, "", false},
        {"another spec", [](Scene& s) { s.object.meta.generation = 4; }, "", true},
        {"a request", [](Scene& s) { s.object.reconcile_requested_at = "t"; }, "; list+0 for drift",
         true},
        {"a request that was seen",
         [](Scene& s) { s.object.reconcile_requested_at = s.state.request_seen = "t"; }, "", false},
        {"a request that is in the status",
         [](Scene& s) {
             s.object.reconcile_requested_at = s.state.status.last_handled_reconcile_at = "t";
         },
         "", false},
        {"a request that was taken back", [](Scene& s) { s.state.request_seen = "t"; }, "", false},
        {"one request soon after another",
         [](Scene& s) {
             s.object.reconcile_requested_at = "t2";
             s.state.request_seen = "t";
             s.state.list_for_request_at = s.now - 9s;
         },
         "", true},
        {"one request a while after another",
         [](Scene& s) {
             s.object.reconcile_requested_at = "t2";
             s.state.request_seen = "t";
             s.state.list_for_request_at = s.now - 10s;
         },
         "; list+0 for drift", true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Scene scene;
        for (const auto ago : {40min, 30min, 20min}) {
            scene.state.drift.judge(Field::base_role, true, scene.now - ago);
            scene.state.drift.pushed(Field::base_role, scene.now - ago);
        }
        scene.state.drift.judge(Field::base_role, true, scene.now - 10min);
        scene.state.lookup_since = scene.now - 1h;
        row.given(scene);
        const auto list = follow_spec(scene.look(), scene.state);
        CHECK(test::say(list, scene.now) == row.expected);
        CHECK(scene.state.drift.given_up() != row.begins_again);
        CHECK(scene.state.lookup_since.has_value() != row.begins_again);
        CHECK_FALSE(follow_spec(scene.look(), scene.state));
    }
    Scene scene;
    refuse(scene, {Field::base_role});
    follow_spec(scene.look(), scene.state);
    CHECK_FALSE(scene.state.refusals.empty());
    scene.object.reconcile_requested_at = "t"; // what was refused stays so
    follow_spec(scene.look(), scene.state);
    CHECK_FALSE(scene.state.refusals.empty());
    scene.object.meta.generation = 4;
    follow_spec(scene.look(), scene.state);
    CHECK(scene.state.refusals.empty());
}
