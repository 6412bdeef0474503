// What is known of an object's fields, from one process to the next by way of its status.
#include "reconcile/connection/record.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using namespace std::chrono_literals;
using omni::Field;

namespace {

const Target recorded_target{.host = "h", .connection_id = "c"};

const DigestKey& record_key() {
    static const DigestKey key{.bytes = SecretBytes("0123456789abcdef0123456789abcdef"),
                               .id = "k1"};
    return key;
}

// It manages all three fields, and its status was written for this generation.
api::OmniConnection recorded_object() {
    api::OmniConnection object;
    object.meta = {.key = {.ns = "n", .name = "a"}, .uid = "u", .generation = 7};
    object.credential = api::CredentialSpec{.secret = {.name = "db", .key = "password"}};
    object.base_role = "VIEWER";
    object.environment_user_attribute =
        omni::EnvironmentUserAttribute{.attribute_name = "env", .default_values = {"prod"}};
    object.status.observed_generation = 7;
    return object;
}

kube::ObjectMeta secret_at(std::string version, std::string uid = "s") {
    return {.key = {.ns = "n", .name = "db"},
            .uid = std::move(uid),
            .resource_version = std::move(version)};
}

// Applied by the object: the Secret at version 5, and both settings.
void apply_all(TargetState& fields, const api::OmniConnection& object, rt::TimePoint now) {
    const std::string& uid = object.meta.uid;
    fields[Field::credential].begin_sending(uid, "d1");
    fields[Field::credential].accepted(api::AppliedCredential{.secret_name = "db",
                                                              .secret_key = "password",
                                                              .secret_uid = "s",
                                                              .secret_resource_version = "5",
                                                              .rotation_id = "r1",
                                                              .digest = "d1",
                                                              .key_id = "k1",
                                                              .pushed_at = "2026-01-01T00:00:00Z"},
                                       now);
    fields[Field::base_role].begin_sending(
        uid, base_role_digest(record_key(), uid, recorded_target, "VIEWER"));
    fields[Field::base_role].accepted(
        api::AppliedBaseRole{.value = "VIEWER", .pushed_at = "2026-01-02T00:00:00Z"}, now);
    const auto& attribute = *object.environment_user_attribute;
    fields[Field::environment_user_attribute].begin_sending(
        uid, environment_digest(record_key(), uid, recorded_target, attribute));
    fields[Field::environment_user_attribute].accepted(
        api::AppliedEnvironmentUserAttribute{.value = attribute,
                                             .pushed_at = "2026-01-03T00:00:00Z"},
        now);
}

// As a process wrote it that had applied all.
api::OmniConnection object_with_all_recorded() {
    auto object = recorded_object();
    TargetState fields;
    apply_all(fields, object, test::start);
    record_fields(object.status, object, recorded_target, &fields, test::start);
    return object;
}

std::string lacking(const Targets& targets, const api::OmniConnection& object, rt::TimePoint now) {
    const TargetState* fields = targets.find(recorded_target);
    if (fields == nullptr)
        return "all";
    const std::string& uid = object.meta.uid;
    std::string out;
    if ((*fields)[Field::credential].lacks(uid, "d1", now))
        out += "credential ";
    if ((*fields)[Field::base_role].lacks(
            uid, base_role_digest(record_key(), uid, recorded_target, "VIEWER"), now))
        out += "role ";
    if ((*fields)[Field::environment_user_attribute].lacks(
            uid,
            environment_digest(record_key(), uid, recorded_target,
                               *object.environment_user_attribute),
            now))
        out += "attribute ";
    return out;
}

} // namespace

TEST_CASE("from a status into another, nothing is lost and nothing is added") {
    const auto before = object_with_all_recorded();
    REQUIRE(before.status.applied.credential);
    CHECK(before.status.applied.credential->rotation_id == "r1");
    CHECK(before.status.applied.base_role->value == "VIEWER");
    CHECK(before.status.applied.environment_user_attribute->value.attribute_name == "env");
    CHECK(before.status.unanswered.empty());
    Targets targets;
    restore_fields(targets, before, record_key(), {.all_is_recorded = true}, test::start);
    auto after = recorded_object();
    record_fields(after.status, after, recorded_target, targets.find(recorded_target), test::start);
    CHECK(after.status.applied == before.status.applied);
    CHECK(after.status.unanswered == before.status.unanswered);
    CHECK(lacking(targets, after, test::start).empty());
}

TEST_CASE("of what nothing is known, the status says nothing") {
    auto object = object_with_all_recorded();
    const Target elsewhere{.host = "h", .connection_id = "other"};
    object.status.unanswered = {Field::credential};
    record_fields(object.status, object, elsewhere, nullptr, test::start);
    CHECK(object.status.applied == api::Applied{.target = elsewhere});
    CHECK(object.status.unanswered.empty());
}

TEST_CASE("what another object applied is in its own status only") {
    auto object = recorded_object();
    TargetState fields;
    apply_all(fields, object, test::start);
    object.meta.uid = "another";
    record_fields(object.status, object, recorded_target, &fields, test::start);
    CHECK(object.status.applied == api::Applied{.target = recorded_target});
}

TEST_CASE("a field that was taken out of the spec loses its entry") {
    auto object = object_with_all_recorded();
    Targets targets;
    restore_fields(targets, object, record_key(), {.all_is_recorded = true}, test::start);
    object.base_role.reset();
    targets.at(recorded_target).release_all_but(managed_fields(object), object.meta.uid);
    record_fields(object.status, object, recorded_target, targets.find(recorded_target),
                  test::start);
    CHECK_FALSE(object.status.applied.base_role);
    CHECK(object.status.applied.credential);
    object.base_role = "VIEWER";
    CHECK(lacking(targets, object, test::start) == "role ");
}

TEST_CASE("how far a status is believed") {
    const auto with = [](void (*change)(api::OmniConnection&)) {
        auto object = object_with_all_recorded();
        change(object);
        return object;
    };
    const auto as_it_was = with([](api::OmniConnection&) {});
    const auto spec_changed = with([](api::OmniConnection& object) { object.meta.generation = 8; });
    const auto never_seen =
        with([](api::OmniConnection& object) { object.status.observed_generation = -1; });
    const auto wiped = with([](api::OmniConnection& object) { object.status = {}; });
    const auto role_lost =
        with([](api::OmniConnection& object) { object.status.applied.base_role.reset(); });
    const auto role_edited =
        with([](api::OmniConnection& object) { object.status.applied.base_role->value = "X"; });
    // What was sent for it is not known; then the spec is changed back.
    const auto role_wanted =
        with([](api::OmniConnection& object) { object.base_role = "QUERIER"; });
    const auto key_wanted =
        with([](api::OmniConnection& object) { object.credential->secret.key = "next"; });
    const auto made_again = with([](api::OmniConnection& object) { object.meta.uid = "v"; });
    const auto restored = with([](api::OmniConnection& object) {
        object.meta.created = *parse_rfc3339("2026-01-02T12:00:00Z"); // after two of the three
    });
    const auto same = secret_at("5");
    const auto touched = secret_at("6");
    const auto replaced = secret_at("5", "t");

    struct Row {
        std::string name;
        const api::OmniConnection& object;
        bool clean; // the process before said so
        const kube::ObjectMeta* secret;
        const char* lacking;
    };

    const Row rows[] = {
        {"a clean end", as_it_was, true, &same, ""},
        {"a clean end, the Secret has changed: what was applied is applied", as_it_was, true,
         &touched, ""},
        {"a clean end, without a Secret", as_it_was, true, nullptr, ""},
        {"a clean end, and another spec", spec_changed, true, &same, ""},

        {"an unclean end, nothing has changed", as_it_was, false, &same, ""},
        {"an unclean end, and the Secret was touched", as_it_was, false, &touched, "credential "},
        {"an unclean end, and the Secret made again", as_it_was, false, &replaced, "credential "},
        {"an unclean end, and the Secret is not known", as_it_was, false, nullptr, "credential "},
        {"an unclean end, and another spec", spec_changed, false, &same,
         "credential role attribute "},
        {"an unclean end, and the spec wanted another role", role_wanted, false, &same, "role "},
        {"an unclean end, and the spec wanted another key", key_wanted, false, &same,
         "credential "},
        {"a clean end, and the spec wanted another role", role_wanted, true, &same, ""},
        {"an unclean end before anything was reported", never_seen, false, &same,
         "credential role attribute "},

        {"a status that was wiped", wiped, true, &same, "all"},
        {"an entry that was removed", role_lost, true, &same, "role "},
        {"an entry that says something else", role_edited, true, &same, "role "},
        {"another object of the name: settings are its own", made_again, true, &same, ""},
        {"a status from before the object", restored, true, &same, "credential role "},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Targets targets;
        restore_fields(targets, row.object, record_key(),
                       {.all_is_recorded = row.clean, .secret = row.secret}, test::start);
        const auto as_applied = with([](api::OmniConnection&) {});
        const bool turned_back = &row.object == &role_wanted || &row.object == &key_wanted;
        CHECK(lacking(targets, turned_back ? as_applied : row.object, test::start) == row.lacking);
    }
}

TEST_CASE("after the API server has gone back in time, no status is believed") {
    const auto object = object_with_all_recorded();
    const auto same = secret_at("5");
    Targets targets;
    restore_fields(targets, object, record_key(),
                   {.all_is_recorded = true, .rewound = true, .secret = &same}, test::start);
    CHECK(lacking(targets, object, test::start) == "credential role attribute ");
}

TEST_CASE("a Secret that is older than what the status knew of it was restored from a backup") {
    const auto object = object_with_all_recorded();
    const auto older = secret_at("4");
    const auto other = secret_at("4", "t");

    struct Row {
        const kube::ObjectMeta* secret;
        bool newer; // it is as new as the status, or newer
        const char* lacking;
    };

    const Row rows[] = {
        {&older, true, "credential "},
        {&older, false, ""}, // the watch lags
        {&other, true, ""},  // versions of two Secrets say nothing of each other
    };
    for (const Row& row : rows) {
        Targets targets;
        restore_fields(
            targets, object, record_key(),
            {.all_is_recorded = true, .secret = row.secret, .secret_is_newer = row.newer},
            test::start);
        CHECK(lacking(targets, object, test::start) == row.lacking);
    }
}

TEST_CASE("under another digest key settings are digested again") {
    const auto object = object_with_all_recorded();
    const DigestKey other{.bytes = SecretBytes("another key of thirty-two bytes!"), .id = "k2"};
    Targets targets;
    restore_fields(targets, object, other, {.all_is_recorded = true}, test::start);
    const auto& role = targets.at(recorded_target)[Field::base_role];
    CHECK_FALSE(
        role.lacks("u", base_role_digest(other, "u", recorded_target, "VIEWER"), test::start));
    CHECK(role.lacks("u", base_role_digest(record_key(), "u", recorded_target, "VIEWER"),
                     test::start));
}

TEST_CASE("an attempt that was never answered is known to the next process") {
    auto object = recorded_object();
    Targets last;
    TargetState& sent = last.at(recorded_target);
    apply_all(sent, object, test::start);
    for (const Field field : {Field::credential, Field::base_role}) {
        sent[field].begin_sending("u", "d2");
        sent[field].cut(test::start);
    }
    record_fields(object.status, object, recorded_target, &sent, test::start);
    CHECK(object.status.unanswered == FieldSet{Field::credential, Field::base_role});
    CHECK_FALSE(object.status.applied.credential);
    CHECK_FALSE(object.status.applied.base_role);
    CHECK(object.status.applied.environment_user_attribute);

    for (const bool clean : {true, false}) {
        CAPTURE(clean);
        Targets next;
        const auto now = test::start + 30s;
        restore_fields(next, object, record_key(), {.all_is_recorded = clean}, now);
        CHECK(lacking(next, object, now) == "credential role ");
        FieldState& credential = next.at(recorded_target)[Field::credential];
        CHECK(credential.may_be_overwritten("whatever is sent next", now + 59s));
        CHECK_FALSE(credential.may_be_overwritten("whatever is sent next", now + 60s));
        credential.begin_sending("u", "d3");
        credential.accepted(api::AppliedCredential{.digest = "d3"}, now + 1s);
        CHECK(credential.applied_by("u") == nullptr);
        CHECK(credential.confirm_at("u") == now + 61s);
        record_fields(object.status, object, recorded_target, next.find(recorded_target), now + 1s);
        CHECK(object.status.unanswered.contains(Field::credential));
        CHECK_FALSE(object.status.applied.credential);
        // As it was, for the other turn.
        object.status.unanswered = {Field::credential, Field::base_role};
    }
}

TEST_CASE("an unanswered attempt is feared even if nothing else of the status is believed") {
    auto object = object_with_all_recorded();
    object.status.unanswered = {Field::base_role};
    object.meta.generation = 8;
    Targets targets;
    restore_fields(targets, object, record_key(), {}, test::start);
    CHECK(lacking(targets, object, test::start) == "credential role attribute ");
    CHECK(targets.at(recorded_target)[Field::base_role].in_doubt("u", test::start));
    CHECK_FALSE(targets.at(recorded_target)[Field::credential].in_doubt("u", test::start));
}

TEST_CASE("what the status says of an attempt, over time") {
    auto object = recorded_object();
    TargetState fields;
    const auto unanswered_at = [&](rt::TimePoint now) {
        record_fields(object.status, object, recorded_target, &fields, now);
        return object.status.unanswered.contains(Field::base_role);
    };
    FieldState& role = fields[Field::base_role];
    CHECK_FALSE(unanswered_at(test::start));
    role.begin_sending("u", "d1");
    role.note_silence();
    CHECK(unanswered_at(test::start + 1s));
    role.unanswered(LandsLate::maybe, test::start + 10s);
    CHECK(unanswered_at(test::start + 69s));
    CHECK(unanswered_at(test::start + 70s)); // until something is accepted
    role.begin_sending("u", "d1");
    role.accepted(api::AppliedBaseRole{.value = "VIEWER"}, test::start + 71s);
    CHECK_FALSE(unanswered_at(test::start + 71s));
    CHECK(object.status.applied.base_role);
}

TEST_CASE("two statuses that say that they applied one field are both wrong, perhaps") {
    const auto one = object_with_all_recorded();
    auto two = object_with_all_recorded();
    two.meta.uid = "v";
    two.status.applied.credential.reset();
    Targets targets;
    restore_fields(targets, one, record_key(), {.all_is_recorded = true}, test::start);
    restore_fields(targets, two, record_key(), {.all_is_recorded = true}, test::start);
    CHECK(lacking(targets, one, test::start) == "role attribute ");
    CHECK(lacking(targets, two, test::start) == "credential role attribute ");
}

TEST_CASE("a status without a target says nothing") {
    auto object = object_with_all_recorded();
    object.status.applied.target = {};
    object.status.unanswered = {Field::credential};
    Targets targets;
    restore_fields(targets, object, record_key(), {.all_is_recorded = true}, test::start);
    CHECK(targets.unsettled(test::start).empty());
    CHECK(targets.find({}) == nullptr);
}
