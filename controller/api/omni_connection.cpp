#include "api/omni_connection.hpp"

namespace oco::api {

std::string_view name_in_status(omni::Field field) {
    switch (field) {
    case omni::Field::credential:
        return "credential";
    case omni::Field::base_role:
        return "baseRole";
    case omni::Field::environment_user_attribute:
        return "environmentUserAttribute";
    }
    return {};
}

namespace {

using omni::CredentialKind;
using omni::EnvironmentUserAttribute;

std::chrono::seconds duration_at(const json::Value& value, std::string_view name,
                                 std::chrono::seconds fallback) {
    return parse_duration(json::string_at(value, name)).value_or(fallback);
}

std::optional<CredentialSpec> decode_credential(const json::Value& credentials) {
    struct Kind {
        std::string_view member;
        CredentialKind kind;
        std::string_view default_key;
    };

    constexpr Kind kinds[] = {
        {"password", CredentialKind::password, "password"},
        {"bigQueryServiceAccount", CredentialKind::bigquery_service_account,
         "service-account.json"},
        {"snowflakePrivateKey", CredentialKind::snowflake_private_key, "tls.key"},
    };
    for (const auto& [member, kind, default_key] : kinds) {
        const json::Value* ref = json::find(credentials, {member, "secretRef"});
        if (ref == nullptr)
            continue;
        CredentialSpec spec{.kind = kind};
        const auto key = json::string_at(*ref, "key");
        spec.secret = {.name = std::string(json::string_at(*ref, "name")),
                       .key = std::string(key.empty() ? default_key : key)};
        spec.passphrase_key = json::string_at(*ref, "passphraseKey");
        spec.repush_interval = duration_at(credentials, "repushInterval", std::chrono::seconds(0));
        return spec;
    }
    return std::nullopt;
}

EnvironmentUserAttribute decode_attribute(const json::Value& value) {
    EnvironmentUserAttribute out;
    if (json::string_at(value, "state") == "Absent") {
        out.state = EnvironmentUserAttribute::State::absent;
        return out;
    }
    out.attribute_name = json::string_at(value, "attributeName");
    if (const auto* list = json::find(value, "defaultValues"); list && list->IsArray()) {
        Texts::List values;
        for (const auto& item : list->GetArray())
            values.emplace_back(json::text_of(item));
        out.default_values = std::move(values);
    }
    return out;
}

// Flux's annotations work where ours are absent; its forceAt only when equal to its requestedAt,
// as Flux itself has it.
void decode_requests(const json::Value& object, OmniConnection& out) {
    out.reconcile_requested_at =
        kube::annotation(object, "reconcile.omniconnection.io/requestedAt");
    out.force_requested_at = kube::annotation(object, "reconcile.omniconnection.io/forceAt");
    const auto flux_requested = kube::annotation(object, "reconcile.fluxcd.io/requestedAt");
    const auto flux_force = kube::annotation(object, "reconcile.fluxcd.io/forceAt");
    if (out.reconcile_requested_at.empty())
        out.reconcile_requested_at = flux_requested;
    if (out.force_requested_at.empty() && flux_force == flux_requested)
        out.force_requested_at = flux_force;
}

// A token in the status; one of an operator that kept them whole may be longer.
std::string token_at(const json::Value& status, std::string_view name) {
    return kube::bounded_token(json::string_at(status, name));
}

Applied decode_applied(const json::Value& applied) {
    Applied out;
    out.target = {.host = std::string(json::string_at(applied, {"target", "host"})),
                  .connection_id =
                      std::string(json::string_at(applied, {"target", "connectionID"}))};
    if (const auto* c = json::find(applied, "credential"); c && c->IsObject())
        out.credential = AppliedCredential{
            .secret_name = std::string(json::string_at(*c, "secretName")),
            .secret_key = std::string(json::string_at(*c, "secretKey")),
            .secret_uid = std::string(json::string_at(*c, "secretUID")),
            .secret_resource_version = std::string(json::string_at(*c, "secretResourceVersion")),
            .rotation_id = token_at(*c, "rotationID"),
            .digest = std::string(json::string_at(*c, "digest")),
            .key_id = std::string(json::string_at(*c, "keyID")),
            .pushed_at = std::string(json::string_at(*c, "pushedAt"))};
    if (const auto* r = json::find(applied, "baseRole"); r && r->IsObject())
        out.base_role = AppliedBaseRole{.value = std::string(json::string_at(*r, "value")),
                                        .pushed_at = std::string(json::string_at(*r, "pushedAt"))};
    if (const auto* a = json::find(applied, "environmentUserAttribute"); a && a->IsObject())
        out.environment_user_attribute = AppliedEnvironmentUserAttribute{
            .value = decode_attribute(*a),
            .pushed_at = std::string(json::string_at(*a, "pushedAt"))};
    return out;
}

std::set<omni::Field> decode_fields(const json::Value* list) {
    using omni::Field;
    std::set<Field> out;
    if (list == nullptr || !list->IsArray())
        return out;
    for (const auto& item : list->GetArray())
        for (const Field field :
             {Field::credential, Field::base_role, Field::environment_user_attribute})
            if (json::text_of(item) == name_in_status(field))
                out.insert(field);
    return out;
}

OmniConnection::Status decode_status(const json::Value& status) {
    OmniConnection::Status out;
    out.observed_generation = json::int_at(status, "observedGeneration").value_or(-1);
    out.conditions = kube::decode_conditions(status);
    out.last_handled_reconcile_at = token_at(status, "lastHandledReconcileAt");
    out.last_handled_force_at = token_at(status, "lastHandledForceAt");
    out.connection_id = json::string_at(status, "connectionID");
    out.resolved_from = json::string_at(status, "resolvedFrom");
    out.dialect = json::string_at(status, "dialect");
    out.next_attempt_time = json::string_at(status, "nextAttemptTime");
    out.failures = json::int_at(status, "failures").value_or(0);
    out.last_push_time = json::string_at(status, "lastPushTime");
    if (const auto* applied = json::find(status, "applied"))
        out.applied = decode_applied(*applied);
    out.unanswered = decode_fields(json::find(status, "unanswered"));
    if (const auto* rejected = json::find(status, "rejected"); rejected && rejected->IsObject())
        out.rejected = Rejected{.generation = json::int_at(*rejected, "generation").value_or(0),
                                .digest = std::string(json::string_at(*rejected, "digest"))};
    return out;
}

void encode_unanswered(json::Writer& writer, const std::set<omni::Field>& unanswered) {
    writer.field("unanswered");
    if (unanswered.empty()) {
        writer.null();
        return;
    }
    writer.begin_array();
    for (const omni::Field field : unanswered)
        writer.value(name_in_status(field));
    writer.end_array();
}

// Absent entries are null, since the status is written as a merge patch.
void encode_applied(json::Writer& writer, const Applied& applied) {
    writer.field("applied");
    if (applied.target.empty()) {
        writer.null();
        return;
    }
    writer.begin_object();
    writer.field("target")
        .begin_object()
        .member("host", applied.target.host)
        .member("connectionID", applied.target.connection_id)
        .end_object();
    if (const auto& c = applied.credential)
        writer.field("credential")
            .begin_object()
            .member("secretName", c->secret_name)
            .member("secretKey", c->secret_key)
            .member("secretUID", c->secret_uid)
            .member("secretResourceVersion", c->secret_resource_version)
            .member_or_null("rotationID", c->rotation_id)
            .member("digest", c->digest)
            .member("keyID", c->key_id)
            .member("pushedAt", c->pushed_at)
            .end_object();
    else
        writer.field("credential").null();
    if (const auto& r = applied.base_role)
        writer.field("baseRole")
            .begin_object()
            .member("value", r->value)
            .member("pushedAt", r->pushed_at)
            .end_object();
    else
        writer.field("baseRole").null();
    if (const auto& a = applied.environment_user_attribute) {
        const bool present = a->value.state == EnvironmentUserAttribute::State::present;
        writer.field("environmentUserAttribute").begin_object();
        writer.member("state", present ? "Present" : "Absent");
        if (present) {
            writer.member("attributeName", a->value.attribute_name);
            writer.field("defaultValues").begin_array();
            for (const auto& value : a->value.default_values)
                writer.value(value);
            writer.end_array();
        } else {
            writer.field("attributeName").null().field("defaultValues").null();
        }
        writer.member("pushedAt", a->pushed_at).end_object();
    } else {
        writer.field("environmentUserAttribute").null();
    }
    writer.end_object();
}

} // namespace

OmniConnection OmniConnection::decode(const json::Value& object) {
    OmniConnection out;
    out.meta = kube::decode_meta(object);
    decode_requests(object, out);
    if (const auto* spec = json::find(object, "spec")) {
        const auto ns = json::string_at(*spec, {"instanceRef", "namespace"});
        out.instance = {.ns = ns.empty() ? out.meta.key.ns : std::string(ns),
                        .name = std::string(json::string_at(*spec, {"instanceRef", "name"}))};
        out.connection_id = json::string_at(*spec, "connectionID");
        out.connection_name = json::string_at(*spec, "connectionName");
        if (const auto* credentials = json::find(*spec, "credentials"))
            out.credential = decode_credential(*credentials);
        if (const auto role = json::string_at(*spec, "baseRole"); !role.empty())
            out.base_role = std::string(role);
        if (const auto* a = json::find(*spec, "environmentUserAttribute"); a && a->IsObject())
            out.environment_user_attribute = decode_attribute(*a);
        out.drift_check_interval = duration_at(*spec, "driftCheckInterval", std::chrono::hours(1));
        out.suspend = json::bool_at(*spec, "suspend").value_or(false);
    }
    if (const auto* status = json::find(object, "status"))
        out.status = decode_status(*status);
    return out;
}

OmniConnection::Status OmniConnection::complete_status() {
    const std::string time = "2026-01-01T00:00:00Z";
    return {.observed_generation = 1,
            .conditions = {kube::complete_condition()},
            .last_handled_reconcile_at = "token",
            .last_handled_force_at = "token",
            .connection_id = "id",
            .resolved_from = "instance/name",
            .dialect = "postgres",
            .next_attempt_time = time,
            .failures = 1,
            .last_push_time = time,
            .applied = {.target = {.host = "host", .connection_id = "id"},
                        .credential = AppliedCredential{.secret_name = "name",
                                                        .secret_key = "key",
                                                        .secret_uid = "uid",
                                                        .secret_resource_version = "1",
                                                        .rotation_id = "id",
                                                        .digest = "digest",
                                                        .key_id = "id",
                                                        .pushed_at = time},
                        .base_role = AppliedBaseRole{.value = "VIEWER", .pushed_at = time},
                        .environment_user_attribute =
                            AppliedEnvironmentUserAttribute{
                                .value = {.attribute_name = "name", .default_values = {"value"}},
                                .pushed_at = time}},
            .unanswered = {omni::Field::credential},
            .rejected = Rejected{.generation = 1, .digest = "digest"}};
}

void encode(json::Writer& writer, const OmniConnection::Status& status) {
    writer.begin_object();
    writer.member("observedGeneration", status.observed_generation);
    kube::encode_conditions(writer, status.conditions);
    writer.member_or_null("lastHandledReconcileAt", status.last_handled_reconcile_at);
    writer.member_or_null("lastHandledForceAt", status.last_handled_force_at);
    writer.member_or_null("connectionID", status.connection_id);
    writer.member_or_null("resolvedFrom", status.resolved_from);
    writer.member_or_null("dialect", status.dialect);
    writer.member_or_null("nextAttemptTime", status.next_attempt_time);
    if (status.failures != 0)
        writer.member("failures", status.failures);
    else
        writer.field("failures").null();
    writer.member_or_null("lastPushTime", status.last_push_time);
    encode_applied(writer, status.applied);
    encode_unanswered(writer, status.unanswered);
    if (status.rejected)
        writer.field("rejected")
            .begin_object()
            .member("generation", status.rejected->generation)
            .member("digest", status.rejected->digest)
            .end_object();
    else
        writer.field("rejected").null();
    writer.end_object();
}

void encode_claims(json::Writer& writer, const OmniConnection::Status& status) {
    writer.begin_object();
    encode_applied(writer, status.applied);
    encode_unanswered(writer, status.unanswered);
    writer.end_object();
}

} // namespace oco::api
