// Decoding of objects, conditions, and what a watch says.
#include "api/omni_connection.hpp"
#include "kube/watcher.hpp"

#include <doctest/doctest.h>

using namespace oco;

namespace {

json::Document parsed(std::string_view text) {
    auto document = json::parse(text);
    REQUIRE(document.has_value());
    return std::move(*document);
}

} // namespace

TEST_CASE("an OmniConnection is read with its defaults") {
    const auto object = api::OmniConnection::decode(parsed(R"({
        "metadata": {"name": "pg", "namespace": "data", "uid": "u", "resourceVersion": "7",
                     "generation": 3, "creationTimestamp": "2026-11-24T21:44:22Z",
                     "annotations": {"reconcile.fluxcd.io/requestedAt": "t1"}},
        "spec": {"instanceRef": {"name": "omni"}, "connectionID": "id",
                 "credentials": {"snowflakePrivateKey": {"secretRef": {"name": "s",
                                                         "passphraseKey": "pp"}},
                                 "repushInterval": "2h"},
                 "environmentUserAttribute": {"state": "Absent"}}})"));
    CHECK(object.meta.key.str() == "data/pg");
    CHECK(object.meta.generation == 3);
    CHECK(object.instance.str() == "data/omni");
    REQUIRE(object.credential);
    CHECK(object.credential->kind == omni::CredentialKind::snowflake_private_key);
    CHECK(object.credential->secret.key == "tls.key");
    CHECK(object.credential->passphrase_key == "pp");
    CHECK(object.credential->repush_interval == std::chrono::hours(2));
    CHECK_FALSE(object.base_role);
    REQUIRE(object.environment_user_attribute);
    CHECK(object.environment_user_attribute->state ==
          omni::EnvironmentUserAttribute::State::absent);
    CHECK(object.drift_check_interval == std::chrono::hours(1));
    CHECK(object.reconcile_requested_at == "t1");
}

TEST_CASE("our annotations go before Flux's, and Flux's forceAt needs its requestedAt") {
    const auto read = [](const char* annotations) {
        return api::OmniConnection::decode(
            parsed(std::string(R"({"metadata":{"annotations":)") + annotations + "}}"));
    };
    auto object =
        read(R"({"reconcile.fluxcd.io/requestedAt":"a","reconcile.fluxcd.io/forceAt":"b"})");
    CHECK(object.reconcile_requested_at == "a");
    CHECK(object.force_requested_at.empty());
    object = read(R"({"reconcile.fluxcd.io/requestedAt":"a","reconcile.fluxcd.io/forceAt":"a"})");
    CHECK(object.force_requested_at == "a");
    object = read(R"({"reconcile.fluxcd.io/requestedAt":"a",
                      "reconcile.omniconnection.io/requestedAt":"c",
                      "reconcile.omniconnection.io/forceAt":"d"})");
    CHECK(object.reconcile_requested_at == "c");
    CHECK(object.force_requested_at == "d");
}

TEST_CASE("a token of any size is kept, compared and shown with few bytes") {
    const std::string longest(kube::max_token_bytes, 't');
    CHECK(kube::bounded_token(longest) == longest);
    const auto bounded = kube::bounded_token(longest + "t");
    CHECK(bounded.starts_with("sha256:"));
    CHECK(bounded.size() == 71);
    CHECK(bounded != kube::bounded_token(longest + "u"));

    const auto object = api::OmniConnection::decode(
        parsed(R"({"metadata":{"annotations":{"reconcile.omniconnection.io/requestedAt":")" +
               longest + R"(t"}},"status":{"lastHandledReconcileAt":")" + longest + R"(t"}})"));
    CHECK(object.reconcile_requested_at == bounded);
    CHECK(object.status.last_handled_reconcile_at == bounded); // of an operator that kept it whole
}

TEST_CASE("equal values exist once") {
    const auto object = api::OmniConnection::decode(parsed(R"({
        "spec": {"environmentUserAttribute": {"attributeName": "env", "defaultValues": ["a"]}},
        "status": {"applied": {"target": {"host": "h", "connectionID": "id"},
                               "environmentUserAttribute": {"state": "Present",
                                 "attributeName": "env", "defaultValues": ["a"]}}}})"));
    const Texts::List& wanted = object.environment_user_attribute->default_values;
    const Texts::List& applied =
        object.status.applied.environment_user_attribute->value.default_values;
    CHECK(&wanted == &applied);
}

TEST_CASE("a status survives writing and reading") {
    api::OmniConnection::Status status{
        .observed_generation = 4,
        .conditions = {{.type = "Ready",
                        .status = "True",
                        .reason = "Synced",
                        .message = "m",
                        .observed_generation = 4,
                        .last_transition_time = "2026-11-24T21:44:22Z"}},
        .connection_id = "id",
        .dialect = "postgres",
        .failures = 2,
        .applied = {.target = {.host = "h", .connection_id = "id"},
                    .credential = api::AppliedCredential{.secret_name = "s",
                                                         .secret_key = "k",
                                                         .secret_uid = "u",
                                                         .secret_resource_version = "5",
                                                         .digest = "d",
                                                         .key_id = "key",
                                                         .pushed_at = "2026-11-24T21:44:22Z"},
                    .environment_user_attribute =
                        api::AppliedEnvironmentUserAttribute{
                            .value = {.attribute_name = "a", .default_values = {"x", "y"}},
                            .pushed_at = "2026-11-24T21:44:22Z"}},
        .unanswered = {omni::Field::credential, omni::Field::environment_user_attribute},
        .rejected = api::Rejected{.generation = 4, .digest = "r"}};
    json::Writer writer;
    writer.begin_object().field("status");
    encode(writer, status);
    writer.end_object();
    CHECK(api::OmniConnection::decode(parsed(writer.view())).status == status);
}

TEST_CASE("a condition keeps its transition time while its status stays") {
    std::vector<kube::Condition> conditions{
        {.type = "Ready", .status = "True", .reason = "Synced", .last_transition_time = "t0"},
        {.type = "Stalled", .status = "True", .reason = "Y", .last_transition_time = "t1"}};
    kube::set_conditions(conditions, {{.type = "Ready", .status = "True", .reason = "Other"}},
                         WallTime{});
    REQUIRE(conditions.size() == 1);
    CHECK(conditions[0].last_transition_time == "t0");
    CHECK(conditions[0].reason == "Other");
    kube::set_conditions(conditions, {{.type = "Ready", .status = "False"}}, WallTime{});
    CHECK(conditions[0].last_transition_time == "1970-01-01T00:00:00Z");
}

TEST_CASE("what a line of a watch means") {
    using Type = kube::WatchEvent::Type;

    struct Row {
        const char* line;
        Type type;
    };

    const Row rows[] = {
        {R"({"type":"ADDED","object":{"metadata":{"resourceVersion":"5"}}})", Type::changed},
        {R"({"type":"MODIFIED","object":{"metadata":{"resourceVersion":"5"}}})", Type::changed},
        {R"({"type":"DELETED","object":{"metadata":{"resourceVersion":"5"}}})", Type::deleted},
        {R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"5"}}})", Type::bookmark},
        {R"({"type":"ERROR","object":{"kind":"Status","code":410}})", Type::expired},
        {R"({"type":"ERROR","object":{"kind":"Status","code":500}})", Type::error},
        {R"({"type":"NEW","object":{"metadata":{"resourceVersion":"5"}}})", Type::error},
        {R"({"type":"ADDED","object":{"metadata":{}}})", Type::error},
        {R"({"type":"ADDED"})", Type::error},
        {R"([])", Type::error},
    };
    for (const auto& [line, type] : rows) {
        CAPTURE(line);
        CHECK(kube::classify_watch_event(parsed(line)).type == type);
    }
}

TEST_CASE("versions that are revisions have an order, others have none") {
    CHECK(kube::is_older_version("9", "10"));
    CHECK_FALSE(kube::is_older_version("10", "10"));
    CHECK_FALSE(kube::is_older_version("11", "10"));
    for (const auto* opaque : {"", "a", "1a", "-1", "99999999999999999999"}) {
        CHECK_FALSE(kube::is_older_version(opaque, "10"));
        CHECK_FALSE(kube::is_older_version("1", opaque));
    }
}
