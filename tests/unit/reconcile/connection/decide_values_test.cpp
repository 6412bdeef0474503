// What is read, what is sent of it, and what is not sent again.
#include "decide_rows.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using namespace oco::test;
using namespace std::chrono_literals;
using omni::Field;

TEST_CASE("decide: what is read, and when") {
    const DecideRow rows[] = {
        {"in step: the version says so, without reading", [](Scene&) {}, "Synced ready"},
        {"the Secret changed: a read as new as the event", [](Scene& s) { s.secret_at("6"); },
         "read team/db password@6"},
        {"the Secret changed, and its value did not", [](Scene& s) { s.read("6", "d5"); },
         "Synced ready"},
        {"another Secret of the name, with that version",
         [](Scene& s) { s.rest.watched_secret->uid = "t"; }, "read team/db password@5"},
        {"another key of the Secret", [](Scene& s) { s.object.credential->secret.key = "pw"; },
         "read team/db pw@5"},
        {"another Secret", [](Scene& s) { s.object.credential->secret.name = "db2"; },
         "read team/db2 password@5"},
        {"the same Secret as a credential of another kind",
         [](Scene& s) {
             s.object.credential->kind = omni::CredentialKind::snowflake_private_key;
             s.directory.by_id["c1"].dialect = "snowflake";
         },
         "read team/db password@5"},
        {"a passphrase is read with the key",
         [](Scene& s) {
             snowflake_key_with_passphrase(s);
             s.rest.reading.reset();
         },
         "read team/db password phrase@6"},
        {"the watch knows no Secret", [](Scene& s) { s.rest.watched_secret.reset(); },
         "read team/db password by quorum"},
        {"nothing is known of what Omni holds",
         [](Scene& s) { s.fields[Field::credential].release("u"); }, "read team/db password@5"},
        {"a retry reads by quorum",
         [](Scene& s) {
             s.secret_at("6");
             s.state.retry.failures = 1;
         },
         "read team/db password by quorum"},
        {"a newer one was read than the watch shows",
         [](Scene& s) {
             s.secret_at("6");
             s.rest.watch_is_current = false;
         },
         "read team/db password by quorum"},
        {"a newer one was read than the watch shows, and what it shows is applied",
         [](Scene& s) { s.rest.watch_is_current = false; }, "read team/db password by quorum"},
        {"it changed since it was read",
         [](Scene& s) {
             s.read("6", "d6");
             s.secret_at("7");
         },
         "read team/db password@7"},
        {"the watch has caught up with what was read",
         [](Scene& s) {
             s.read("6", "d5");
             s.rest.reading->watched = "5";
         },
         "Synced ready"},
        {"it was read for another key",
         [](Scene& s) {
             s.read("6", "d6");
             s.object.credential->secret.key = "pw";
         },
         "read team/db pw@6"},
        {"it was read without the passphrase",
         [](Scene& s) {
             snowflake_key_with_passphrase(s);
             s.rest.reading->passphrase_key.clear();
         },
         "read team/db password phrase@6"},
        {"it was sent: another attempt reads again",
         [](Scene& s) {
             new_value(s);
             s.rest.reading->spent = true;
         },
         "read team/db password@6"},
        {"suspended: what changed is looked at all the same",
         [](Scene& s) {
             s.secret_at("6");
             s.object.suspend = true;
         },
         "read team/db password@6"},
        {"a credential that another object holds is not read",
         [](Scene& s) {
             s.secret_at("6");
             hold(s, Field::credential, HeldBy::other, {.ns = "team", .name = "rival"});
         },
         "ConnectionConflict stalled"},
        {"a credential that nobody asks for is not read",
         [](Scene& s) {
             s.object.credential.reset();
             s.rest.watched_secret.reset();
         },
         "Synced ready"},
    };
    check_rows(rows);
}

TEST_CASE("decide: a retry after a refusal reads by quorum, too") {
    Scene scene;
    new_value(scene);
    failed_before(scene, reason::forbidden, scene.now, 0); // the slow probe is due
    scene.state.retry.attempted = true;
    scene.rest.reading.reset();
    CHECK(test::say(scene.decide(), scene.now) == "read team/db password by quorum");
}

TEST_CASE("decide: what is sent") {
    const DecideRow rows[] = {
        {"a new value, which is checked first",
         [](Scene& s) {
             new_value(s);
             s.rest.reading->prepared.reset();
         },
         "prepare"},
        {"a new value", new_value, "send credential as rotation"},
        {"the first value of a new object",
         [](Scene& s) {
             new_value(s);
             s.state.status.last_push_time.clear();
         },
         "send credential as new_object"},
        {"a setting", new_role, "send base_role as settings"},
        {"all in one PATCH", [](Scene& s) { s.change_all(); },
         "send credential base_role as rotation"},
        {"an attribute that is new",
         [](Scene& s) {
             s.object.environment_user_attribute = omni::EnvironmentUserAttribute{
                 .attribute_name = "env", .default_values = {"prod"}};
         },
         "send environment_user_attribute as settings"},
        {"what went unanswered",
         [](Scene& s) {
             s.fields[Field::base_role].begin_sending(
                 "u", base_role_digest(s.key, "u", s.target, "VIEWER"));
             s.fields[Field::base_role].unanswered(LandsLate::maybe, s.now);
         },
         "send base_role as settings"},
        {"another field that is void does not make the credential be read",
         [](Scene& s) { s.fields[Field::base_role].release("u"); }, "send base_role as settings"},
        {"what follows an unanswered value waits a minute for its second time",
         [](Scene& s) { confirming_role(s, s.now - 20s); }, "Progressing progressing again+40",
         "once more"},
        {"and goes once more", [](Scene& s) { confirming_role(s, s.now - 60s); },
         "send base_role as settings"},
    };
    check_rows(rows);
}

TEST_CASE("decide: Secrets that cannot be used") {
    const auto of_type = [](std::string type) {
        return [type](Scene& s) {
            new_value(s);
            s.rest.reading->type = type;
        };
    };
    const DecideRow rows[] = {
        {"none", [](Scene& s) { read_failed(s, ErrorClass::not_found); }, "SecretNotFound failing",
         "team/db"},
        {"not allowed", [](Scene& s) { read_failed(s, ErrorClass::forbidden); },
         "SecretAccessDenied failing"},
        {"the API server is in trouble", [](Scene& s) { read_failed(s, ErrorClass::unavailable); },
         "Progressing progressing again+2"},
        {"none, and a setting goes all the same",
         [](Scene& s) {
             read_failed(s, ErrorClass::not_found);
             new_role(s);
         },
         "send base_role as settings"},
        {"without the key",
         [](Scene& s) {
             new_value(s);
             s.rest.reading->has_value = false;
         },
         "SecretKeyNotFound failing", "\"password\""},
        {"without the key, and a setting goes all the same",
         [](Scene& s) {
             s.change_all();
             s.rest.reading->has_value = false;
         },
         "send base_role as settings"},
        {"without the passphrase",
         [](Scene& s) {
             snowflake_key_with_passphrase(s);
             s.rest.reading->has_passphrase = false;
         },
         "SecretKeyNotFound failing", "\"phrase\""},
        {"with the passphrase", snowflake_key_with_passphrase, "send credential as rotation"},
        {"a value that cannot be sent",
         [](Scene& s) {
             new_value(s);
             s.rest.reading->prepared->error = "the password is empty";
         },
         "InvalidCredential stalled", "the password is empty"},
        {"a value that cannot be sent, and a setting goes all the same",
         [](Scene& s) {
             s.change_all();
             s.rest.reading->prepared->error = "the password is empty";
         },
         "send base_role as settings"},
        {"a service account's token", of_type("kubernetes.io/service-account-token"),
         "InvalidCredential stalled", "never sent"},
        {"a bootstrap token", of_type("bootstrap.kubernetes.io/token"), "InvalidCredential stalled",
         "never sent"},
        {"a Helm release", of_type("helm.sh/release.v1"), "InvalidCredential stalled",
         "never sent"},
        {"of a type that is fine", of_type("kubernetes.io/basic-auth"),
         "send credential as rotation"},
        {"the operator's own",
         [](Scene& s) {
             s.object.credential->secret.name = digest_key_secret;
             s.rest.operator_namespace = "team";
             new_value(s);
         },
         "InvalidCredential stalled"},
        {"one of that name elsewhere",
         [](Scene& s) {
             s.object.credential->secret.name = digest_key_secret;
             new_value(s);
         },
         "send credential as rotation"},
    };
    check_rows(rows);
}

TEST_CASE("decide: another digest key") {
    const DecideRow rows[] = {
        {"the value is read", other_digest_key, "read team/db password@5"},
        {"an unchanged Secret proves an unchanged value",
         [](Scene& s) {
             other_digest_key(s);
             s.read("5", "digest under the new key");
         },
         "Synced ready"},
        {"another version does not",
         [](Scene& s) {
             other_digest_key(s);
             s.read("6", "digest under the new key");
         },
         "send credential as rotation"},
        {"another Secret of the name does not",
         [](Scene& s) {
             other_digest_key(s);
             s.read("5", "digest under the new key");
             s.rest.reading->meta.uid = "t";
         },
         "send credential as rotation"},
    };
    check_rows(rows);

    Scene scene;
    other_digest_key(scene);
    scene.read("5", "new");
    scene.decide();
    REQUIRE(scene.applied_credential() != nullptr);
    CHECK(scene.applied_credential()->key_id == "k1");
    CHECK(scene.applied_credential()->digest == "new");
    CHECK(scene.applied_credential()->pushed_at == "2026-11-30T11:00:00Z");
    scene.rest.reading.reset();
    CHECK(test::say(scene.decide(), scene.now) == "Synced ready");
}

TEST_CASE("decide: the version follows a change that needs no push, and its rotation id") {
    Scene scene;
    scene.read("6", "d5");
    scene.decide();
    REQUIRE(scene.applied_credential() != nullptr);
    CHECK(scene.applied_credential()->secret_resource_version == "6");
    CHECK(scene.applied_credential()->rotation_id == "r6");
    CHECK(scene.applied_credential()->pushed_at == "2026-11-30T11:00:00Z");
}

TEST_CASE("decide: neither follows a value that Omni does not hold") {
    for (const bool suspended : {false, true}) {
        Scene scene;
        new_value(scene);
        scene.object.suspend = suspended;
        scene.decide();
        REQUIRE(scene.applied_credential() != nullptr);
        CHECK(scene.applied_credential()->secret_resource_version == "5");
        CHECK(scene.applied_credential()->rotation_id == "r5");
    }
    Scene confirming;
    FieldState& credential = confirming.fields[Field::credential];
    credential.begin_sending("u", "d4");
    credential.unanswered(LandsLate::maybe, confirming.now);
    credential.begin_sending("u", "d6");
    credential.accepted(api::AppliedCredential{.digest = "d6"}, confirming.now);
    new_value(confirming);
    CHECK(test::say(confirming.decide(), confirming.now) == "Progressing progressing again+60");
    CHECK(confirming.applied_credential() == nullptr);
}

TEST_CASE("decide: sent again, as asked for") {
    const auto repush = [](std::chrono::seconds interval, const char* pushed_at) {
        return [interval, pushed_at](Scene& s) {
            s.object.credential->repush_interval = interval;
            auto entry = *s.applied_credential();
            entry.pushed_at = pushed_at;
            s.apply_credential(entry);
        };
    };
    const DecideRow rows[] = {
        {"repush: not due", repush(1h, "2026-11-30T11:30:00Z"), "Synced ready again+1800"},
        {"repush: due", repush(1h, "2026-11-30T11:00:00Z"), "read team/db password@5"},
        {"repush: due, and read",
         [&](Scene& s) {
             repush(1h, "2026-11-30T11:00:00Z")(s);
             s.read("5", "d5");
         },
         "send credential as settings"},
        {"repush: a time that is none", repush(1h, "yesterday"), "read team/db password@5"},
        {"repush: off", repush(0s, "2020-01-01T00:00:00Z"), "Synced ready"},
        {"repush: a setting that goes before takes nothing along",
         [&](Scene& s) {
             repush(1h, "2026-11-30T11:30:00Z")(s);
             new_role(s);
         },
         "send base_role as settings"},

        {"force: the Secret is read", [](Scene& s) { s.object.force_requested_at = "t"; },
         "read team/db password@5"},
        {"force: all fields go",
         [](Scene& s) {
             s.object.force_requested_at = "t";
             s.read("5", "d5");
         },
         "send credential base_role as settings"},
        {"force: done, by the status",
         [](Scene& s) {
             s.object.force_requested_at = "t";
             s.state.status.last_handled_force_at = "t";
         },
         "Synced ready"},
        {"force: another token than the one that is done",
         [](Scene& s) {
             s.object.force_requested_at = "t2";
             s.state.status.last_handled_force_at = "t";
             s.read("5", "d5");
         },
         "send credential base_role as settings"},
        {"force: accepted, and not in the status yet",
         [](Scene& s) {
             s.object.force_requested_at = s.state.force_token = "t";
             s.state.forced = {Field::credential, Field::base_role};
         },
         "Synced ready"},
        {"force: one field accepted",
         [](Scene& s) {
             s.object.force_requested_at = s.state.force_token = "t";
             s.state.forced = {Field::credential};
         },
         "send base_role as settings"},
        {"force: accepted for another token",
         [](Scene& s) {
             s.object.force_requested_at = "t2";
             s.state.force_token = "t";
             s.state.forced = {Field::credential, Field::base_role};
             s.read("5", "d5");
         },
         "send credential base_role as settings"},
        {"force: at once, whatever failed before",
         [](Scene& s) {
             new_value(s);
             failed_before(s, reason::omni_unavailable, s.now + 30s);
             s.object.force_requested_at = "t";
         },
         "send credential base_role as rotation"},
        {"force: what was refused, too",
         [](Scene& s) {
             s.object.force_requested_at = "t";
             s.read("5", "d5");
             refuse(s, {Field::base_role});
         },
         "send credential base_role as settings"},
        {"force: what was refused after that is not sent again",
         [](Scene& s) {
             s.object.force_requested_at = s.state.refusals_forgotten_for = "t";
             s.read("5", "d5");
             refuse(s, {Field::base_role});
         },
         "send credential as settings"},
        {"force: not while suspended",
         [](Scene& s) {
             s.object.force_requested_at = "t";
             s.object.suspend = true;
             s.read("5", "d5");
         },
         "Suspended stalled"},
    };
    check_rows(rows);
}

TEST_CASE("decide: what Omni refused") {
    const FieldSet both{Field::credential, Field::base_role};
    const DecideRow rows[] = {
        {"together: the credential alone",
         [&](Scene& s) {
             s.change_all();
             refuse(s, both);
         },
         "send credential as rotation"},
        {"together, and it was sent: it is read again first",
         [&](Scene& s) {
             s.change_all();
             refuse(s, both);
             s.rest.reading->spent = true;
         },
         "read team/db password@6"},
        {"together, and the credential alone: the setting",
         [&](Scene& s) {
             s.change_all();
             refuse(s, both);
             refuse(s, {Field::credential});
         },
         "send base_role as settings"},
        {"together and each alone: never again",
         [&](Scene& s) {
             s.change_all();
             refuse(s, both);
             refuse(s, {Field::credential});
             refuse(s, {Field::base_role});
         },
         "Rejected stalled", "Omni said no"},
        {"the setting alone: the credential goes",
         [](Scene& s) {
             s.change_all();
             refuse(s, {Field::base_role});
         },
         "send credential as rotation"},
        {"a setting, and nothing else waits",
         [](Scene& s) {
             new_role(s);
             refuse(s, {Field::base_role});
         },
         "Rejected stalled", "Omni said no"},
        {"another value",
         [](Scene& s) {
             new_value(s);
             refuse(s, {Field::credential});
             s.read("7", "d7");
         },
         "send credential as rotation"},
        {"the same value at another version",
         [](Scene& s) {
             new_value(s);
             refuse(s, {Field::credential});
             s.read("7", "d6");
         },
         "Rejected stalled"},
        {"the value of before",
         [](Scene& s) {
             new_value(s);
             refuse(s, {Field::credential});
             s.read("7", "d5");
         },
         "Synced ready"},
    };
    check_rows(rows);
}

TEST_CASE("decide: what Omni refused is in the status, and known to the next process") {
    Scene last;
    last.change_all();
    refuse(last, {Field::base_role});
    refuse(last, {Field::credential});
    refuse(last, {Field::credential, Field::base_role});
    last.decide();
    REQUIRE(last.state.status.rejected);
    CHECK(last.state.status.rejected->generation == 3);
    CHECK(last.state.status.rejected->digest ==
          combined_digest(last.wanted(), {Field::credential, Field::base_role}));

    const auto restarted = [&](Scene& s) {
        s.change_all();
        s.state.status.rejected = last.state.status.rejected;
        kube::set_conditions(s.state.status.conditions,
                             conditions_of(outcome(reason::rejected, "Omni said no"), 3),
                             s.wall_now);
    };
    const DecideRow rows[] = {
        {"the same", restarted, "Rejected stalled", "Omni said no"},
        {"another spec",
         [&](Scene& s) {
             restarted(s);
             s.object.meta.generation = 4;
         },
         "send credential base_role as rotation"},
        {"another value",
         [&](Scene& s) {
             restarted(s);
             s.read("7", "d7");
         },
         "send credential base_role as rotation"},
        {"without the message",
         [&](Scene& s) {
             restarted(s);
             s.state.status.conditions.clear();
         },
         "Rejected stalled", "Omni rejected these values before"},
    };
    check_rows(rows);
    Scene next;
    restarted(next);
    next.object.meta.generation = 4;
    next.decide();
    CHECK_FALSE(next.state.status.rejected);
}
