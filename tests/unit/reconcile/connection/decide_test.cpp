// Whether an object may send now, and what its status is to say if not; and random looks at the
// world.
#include "decide_rows.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using namespace oco;
using namespace oco::reconcile;
using namespace oco::test;
using namespace std::chrono_literals;
using omni::Field;

TEST_CASE("decide: suspended") {
    const DecideRow rows[] = {
        {"nothing waits", [](Scene& s) { s.object.suspend = true; }, "Suspended ready",
         "spec.suspend"},
        {"something waits",
         [](Scene& s) {
             s.object.suspend = true;
             s.change_all();
         },
         "Suspended stalled", "spec.suspend"},
        {"the instance, nothing waits", [](Scene& s) { s.instance.suspend = true; },
         "Suspended ready", "OmniInstance"},
        {"the instance, something waits",
         [](Scene& s) {
             s.instance.suspend = true;
             new_role(s);
         },
         "Suspended stalled", "OmniInstance"},
        {"the instance, of which nothing else is known",
         [](Scene& s) {
             s.instance.suspend = true;
             s.view_exists = false;
         },
         "Suspended ready"},
        {"what was never answered waits",
         [](Scene& s) {
             s.object.suspend = true;
             s.fields[Field::base_role].begin_sending("u", "x");
             s.fields[Field::base_role].unanswered(LandsLate::no, s.now);
         },
         "Suspended stalled"},
        {"a missing Secret is reported all the same",
         [](Scene& s) {
             s.object.suspend = true;
             read_failed(s, ErrorClass::not_found);
         },
         "SecretNotFound failing"},
        {"a conflict, too",
         [](Scene& s) {
             s.object.suspend = true;
             hold(s, Field::base_role, HeldBy::other, {.ns = "team", .name = "rival"});
         },
         "ConnectionConflict stalled"},
        {"no list is read for drift",
         [](Scene& s) {
             s.object.suspend = true;
             s.object.drift_check_interval = 60s;
         },
         "Suspended ready"},
    };
    check_rows(rows);
}

TEST_CASE("decide: who holds the fields") {
    const ObjectKey near{.ns = "team", .name = "rival"};
    const ObjectKey far{.ns = "secretive", .name = "rival"};
    const DecideRow rows[] = {
        {"another of the namespace is named",
         [&](Scene& s) { hold(s, Field::base_role, HeldBy::other, near); },
         "ConnectionConflict stalled", "OmniConnection rival manages this connection's baseRole"},
        {"another of another namespace is not",
         [&](Scene& s) { hold(s, Field::base_role, HeldBy::other, far); },
         "ConnectionConflict stalled", "another namespace's"},
        {"it may turn out otherwise",
         [&](Scene& s) { hold(s, Field::base_role, HeldBy::other, near, s.now + 30s); },
         "ConnectionConflict stalled again+30"},
        {"not known yet",
         [](Scene& s) { hold(s, Field::base_role, HeldBy::undecided, {}, s.now + 30s); },
         "Progressing progressing soon again+30"},
        {"handed over",
         [&](Scene& s) {
             hold(s, Field::base_role, HeldBy::handover, near);
             s.fields[Field::base_role].release("u");
         },
         "Progressing progressing soon"},
        {"the other fields go",
         [&](Scene& s) {
             s.change_all();
             hold(s, Field::credential, HeldBy::other, near);
         },
         "send base_role as settings"},
        {"the other fields go while one is not decided",
         [](Scene& s) {
             s.change_all();
             hold(s, Field::base_role, HeldBy::undecided, {}, s.now + 30s);
         },
         "send credential as rotation"},
        {"the other fields go while one is handed over",
         [&](Scene& s) {
             s.change_all();
             hold(s, Field::base_role, HeldBy::handover, near);
         },
         "send credential as rotation"},
        {"of none that it may send anything is sent",
         [&](Scene& s) {
             s.change_all();
             hold(s, Field::credential, HeldBy::other, near);
             hold(s, Field::base_role, HeldBy::undecided, {}, s.now + 30s);
         },
         "ConnectionConflict stalled again+30"},
        {"a setting of another's is no drift of ours",
         [&](Scene& s) {
             hold(s, Field::base_role, HeldBy::other, near);
             s.object.drift_check_interval = 1h;
             s.directory.by_id["c1"].base_role = "QUERIER";
         },
         "ConnectionConflict stalled"},
    };
    check_rows(rows);

    Scene scene;
    hold(scene, Field::credential, HeldBy::other, far);
    const std::string message = test::message_of(scene.decide());
    CHECK(message.find("secretive") == std::string::npos);
    CHECK(message.find("rival") == std::string::npos);
}

TEST_CASE("decide: the key was refused") {
    const DecideRow rows[] = {
        {"403: nothing is known of the key since",
         [](Scene& s) { refused_key(s, false, s.now - 10min); }, "Progressing progressing soon"},
        {"403: the key was never accepted", [](Scene& s) { refused_key(s, false, {}); },
         "Progressing progressing soon"},
        {"403: the key is good", [](Scene& s) { refused_key(s, false, s.now - 1s); },
         "Forbidden stalled again+595", "no"},
        {"403: the key was refused, and is good again",
         [](Scene& s) {
             refused_key(s, false, s.now - 1s);
             s.view.refused_at = s.now - 3s;
         },
         "send credential as rotation"},
        {"403: it was refused before, which says nothing of now",
         [](Scene& s) {
             refused_key(s, false, s.now - 1s);
             s.view.refused_at = s.now - 1h;
         },
         "Forbidden stalled again+595"},
        {"401: the key is asked about", [](Scene& s) { refused_key(s, true, s.now - 10min); },
         "Progressing progressing soon"},
        {"401: the key is good (again): at once",
         [](Scene& s) { refused_key(s, true, s.now - 1s); }, "send credential as rotation"},
        {"401: the key is good, and was when it was refused a second time",
         [](Scene& s) {
             refused_key(s, true, s.now - 1s);
             s.state.key_doubt.retried = true;
         },
         "Forbidden stalled again+595"},
        {"the key is refused",
         [](Scene& s) {
             refused_key(s, true, s.now - 10min);
             s.view.usable = false;
             s.view.outcome = outcome(reason::unauthorized, "the key is refused");
         },
         "Unauthorized stalled", "the key is refused"},
        {"another value is tried at once",
         [](Scene& s) {
             refused_key(s, false, s.now - 1s);
             s.read("7", "d7");
         },
         "send credential as rotation"},
        {"another key is tried at once",
         [](Scene& s) {
             refused_key(s, false, s.now - 1s);
             s.view.client_identity = "another";
         },
         "send credential as rotation"},
        {"nothing waits to be sent any more",
         [](Scene& s) {
             refused_key(s, false, s.now - 10min);
             s.read("7", "d5");
         },
         "Synced ready"},
        {"forbidden: the slow probe",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::forbidden, s.now, 0);
         },
         "send credential as rotation"},
    };
    check_rows(rows);
}

TEST_CASE("decide: patience") {
    const DecideRow rows[] = {
        {"waiting after a failure",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now + 30s);
         },
         "OmniUnavailable failing again+30", "as before"},
        {"the time has come",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now);
         },
         "send credential as rotation"},
        {"another value is tried at once",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now + 30s);
             s.read("7", "d7");
         },
         "send credential as rotation"},
        {"another spec is tried at once",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now + 30s);
             ++s.object.meta.generation;
         },
         "send credential as rotation"},
        {"and so is what somebody asks for",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now + 30s);
             s.object.reconcile_requested_at = "t";
         },
         "send credential as rotation"},
        {"the same value at another version is not",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now + 30s);
             s.read("7", "d6");
         },
         "OmniUnavailable failing again+30"},
        {"the process before was waiting",
         [](Scene& s) {
             new_value(s);
             s.state.retry.failures = 3;
             s.state.retry.next_attempt = s.now + 30s;
             s.state.retry.why = outcome(reason::omni_unavailable, "as before");
         },
         "OmniUnavailable failing again+30"},
        {"the breaker is open: the scheduler picks who tries",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now + 30s);
             s.rest.breaker_open = true;
         },
         "send credential as rotation"},
        {"the breaker is open, which does not hurry the forbidden",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::forbidden, s.now + 30s, 0);
             s.rest.breaker_open = true;
         },
         "Forbidden stalled again+30"},
        {"in step, whatever failed before",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now + 30s);
             s.read("7", "d5");
         },
         "Synced ready"},
        {"another change of the connection is under way",
         [](Scene& s) {
             new_value(s);
             s.rest.under_way = true;
         },
         "Progressing progressing soon"},
        {"it changes very often",
         [](Scene& s) {
             new_value(s);
             s.rest.pace = s.now + 5s;
         },
         "RateLimited progressing again+5"},
        {"it changed very often, a while ago",
         [](Scene& s) {
             new_value(s);
             s.rest.pace = s.now;
         },
         "send credential as rotation"},
        {"the pace is no matter of who has nothing to send",
         [](Scene& s) { s.rest.pace = s.now + 5s; }, "Synced ready"},
    };
    check_rows(rows);
}

TEST_CASE("decide: the instance is not ready") {
    const auto with = [](std::string_view why) {
        return [why](Scene& s) {
            s.view.usable = false;
            s.view.outcome = outcome(why, "as the instance says");
        };
    };
    const DecideRow rows[] = {
        {"nothing is known of it", [](Scene& s) { s.view_exists = false; },
         "Progressing progressing soon"},
        {"it is looked at", with(reason::progressing), "InstanceNotReady progressing soon"},
        {"its key is refused", with(reason::unauthorized), "Unauthorized stalled",
         "as the instance says"},
        {"its budget is spent", with(reason::rate_limited), "RateLimited progressing soon",
         "as the instance says"},
        {"its Secret is missing", with(reason::secret_not_found), "InstanceNotReady failing",
         "as the instance says"},
        {"Omni is in trouble", with(reason::omni_unavailable), "InstanceNotReady failing"},
        {"its host is not allowed", with(reason::host_not_allowed), "InstanceNotReady stalled"},
        {"its key is none", with(reason::invalid_credential), "InstanceNotReady stalled"},
    };
    check_rows(rows);
}

TEST_CASE("decide: of several problems the one that you must change is reported") {
    Scene scene;
    read_failed(scene, ErrorClass::not_found);
    new_role(scene);
    refuse(scene, {Field::base_role});
    CHECK(test::say(scene.decide(), scene.now) == "Rejected stalled");
    Scene waiting;
    read_failed(waiting, ErrorClass::not_found);
    hold(waiting, Field::base_role, HeldBy::undecided, {}, waiting.now + 30s);
    CHECK(test::say(waiting.decide(), waiting.now) == "SecretNotFound failing again+30");
}

namespace {

// What may be wrong, or another way; any of them together.
const std::vector<std::function<void(Scene&)>>& twists() {
    static const std::vector<std::function<void(Scene&)>> all{
        new_value,
        new_role,
        [](Scene& s) {
            if (s.applied_credential() != nullptr)
                other_digest_key(s);
        },
        [](Scene& s) { s.read("5", "d5"); },
        [](Scene& s) { s.read("6", "d5"); },
        [](Scene& s) { s.secret_at("7"); },
        [](Scene& s) { s.rest.watched_secret.reset(); },
        [](Scene& s) { read_failed(s, ErrorClass::not_found); },
        [](Scene& s) { read_failed(s, ErrorClass::unavailable); },
        [](Scene& s) { s.object.suspend = true; },
        [](Scene& s) { s.instance.suspend = true; },
        [](Scene& s) { s.object.base_role.reset(); },
        [](Scene& s) { s.object.force_requested_at = "t"; },
        [](Scene& s) { s.object.credential->repush_interval = 30min; },
        [](Scene& s) { s.object.drift_check_interval = 1h; },
        [](Scene& s) { s.object.credential->secret.key = "pw"; },
        [](Scene& s) { s.view_exists = false; },
        [](Scene& s) { s.view.usable = false; },
        [](Scene& s) { s.directory.by_id.clear(); },
        [](Scene& s) { s.directory.by_id["c1"].dialect = "bigquery"; },
        [](Scene& s) { s.directory.by_id["c1"].deleted = true; },
        [](Scene& s) { s.directory.by_id["c1"].base_role = "ADMIN"; },
        [](Scene& s) { s.directory = {}; },
        [](Scene& s) { s.directory.refused = true; },
        [](Scene& s) { s.state.status.dialect.clear(); },
        [](Scene& s) { s.state.not_found_at = s.now - 5s; },
        [](Scene& s) { s.state.lookup_since = s.now - 1h; },
        [](Scene& s) { s.state.key_doubt = {.refused_at = s.now - 5s}; },
        [](Scene& s) { s.state.key_doubt = {.refused_at = s.now - 20min, .key_named = true}; },
        [](Scene& s) { s.state.requested_at = s.state.list_for_request_at = s.now - 1s; },
        [](Scene& s) { s.state.retry = {.failures = 2, .next_attempt = s.now + 9s}; },
        [](Scene& s) { s.fields[Field::credential].release("u"); },
        [](Scene& s) { s.fields[Field::base_role].release("u"); },
        [](Scene& s) { s.fields[Field::base_role].suspect_until(s.now + 60s); },
        [](Scene& s) { hold(s, Field::credential, HeldBy::undecided); },
        [](Scene& s) { hold(s, Field::base_role, HeldBy::other, {.ns = "x", .name = "y"}); },
        [](Scene& s) { hold(s, Field::credential, HeldBy::handover); },
        [](Scene& s) { s.rest.under_way = true; },
        [](Scene& s) { s.rest.pace = s.now + 1s; },
        [](Scene& s) { s.rest.breaker_open = true; },
        [](Scene& s) {
            if (s.rest.reading)
                s.rest.reading->spent = true;
        },
        [](Scene& s) {
            if (s.rest.reading)
                s.rest.reading->prepared.reset();
        },
        [](Scene& s) {
            if (s.rest.reading)
                s.rest.reading->prepared = Preparation{.error = "bad"};
        },
        [](Scene& s) {
            if (s.rest.reading)
                s.rest.reading->has_value = false;
        },
        [](Scene& s) {
            if (s.rest.reading)
                s.rest.reading->type = "helm.sh/release.v1";
        },
        [](Scene& s) {
            if (s.object.base_role)
                refuse(s, {Field::base_role});
        },
        [](Scene& s) {
            s.state.refusals.add(combined_digest({{Field::credential, "d6"}}, {Field::credential}));
            s.state.refusal_message = "Omni said no";
        },
    };
    return all;
}

bool is_held(const Scene& s, Field field) {
    const auto known = s.rest.holders.find(field);
    return managed_fields(s.object).contains(field) &&
           (known == s.rest.holders.end() || known->second.by == HeldBy::self);
}

void check_send(const Scene& s, const Decision& decision, const FieldSet& fields) {
    CHECK_FALSE(fields.empty());
    CHECK_FALSE(s.object.suspend);
    CHECK_FALSE(s.instance.suspend);
    CHECK((s.view_exists && s.view.usable));
    CHECK_FALSE(s.rest.under_way);
    CHECK(s.rest.pace <= s.now);
    for (const Field field : fields) {
        CHECK(is_held(s, field));
        CHECK(decision.pending.contains(field));
        CHECK(decision.digests.contains(field));
        CHECK_FALSE(s.state.refusals.contains(combined_digest(decision.digests, {field})));
    }
    const auto listed = s.directory.by_id.find("c1");
    const bool present = listed != s.directory.by_id.end() && !listed->second.deleted;
    CHECK((listed == s.directory.by_id.end() || present || s.directory.refused));
    if (!fields.contains(Field::credential))
        return;
    REQUIRE(s.rest.reading);
    const Reading& reading = *s.rest.reading;
    CHECK_FALSE(reading.error);
    CHECK(reading.has_value);
    CHECK_FALSE(reading.spent);
    CHECK(reading.type == "Opaque");
    CHECK(reading.secret_key == s.object.credential->secret.key);
    REQUIRE(reading.prepared);
    CHECK(reading.prepared->error.empty());
    CHECK((present || s.directory.refused || !s.state.status.dialect.empty()));
    CHECK((!present || listed->second.dialect == "postgres"));
}

void check_synced(const Scene& s) {
    CHECK_FALSE(s.object.suspend);
    CHECK_FALSE(s.instance.suspend);
    CHECK((s.view_exists && s.view.usable));
    for (const Field field : managed_fields(s.object)) {
        CHECK(is_held(s, field));
        CHECK(s.fields[field].applied_by("u") != nullptr);
    }
    const auto* applied = s.applied_credential();
    if (applied == nullptr)
        return;
    REQUIRE(s.rest.watched_secret);
    CHECK(applied->secret_resource_version == s.rest.watched_secret->resource_version);
    CHECK(applied->secret_key == s.object.credential->secret.key);
    CHECK(applied->key_id == "k1");
    if (s.rest.reading &&
        s.rest.reading->meta.resource_version == applied->secret_resource_version &&
        !s.rest.reading->error)
        CHECK(applied->digest == s.rest.reading->digest);
    if (s.object.base_role)
        CHECK_FALSE(s.fields[Field::base_role].lacks(
            "u", base_role_digest(s.key, "u", s.target, *s.object.base_role), s.now));
}

} // namespace

TEST_CASE("decide: whatever comes together, what is sent may be sent, and Synced is true") {
    std::mt19937_64 dice(15);
    int sends = 0;
    int synced = 0;
    for (int round = 0; round < 20'000; ++round) {
        CAPTURE(round);
        Scene scene;
        for (auto count = dice() % 5; count > 0; --count)
            twists()[dice() % twists().size()](scene);
        const Decision decision = scene.decide();
        if (const auto* send = std::get_if<Send>(&decision.action)) {
            ++sends;
            check_send(scene, decision, send->fields);
        }
        const auto* end = std::get_if<Finish>(&decision.action);
        if (end != nullptr && end->outcome.reason == reason::synced) {
            ++synced;
            check_synced(scene);
        }
        if (end != nullptr) {
            CHECK_FALSE(end->outcome.message.empty());
            CHECK(end->outcome.message.size() <= 512);
        }
    }
    CHECK(sends > 1000);
    CHECK(synced > 1000);
}
