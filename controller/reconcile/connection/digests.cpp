#include "reconcile/connection/digests.hpp"

#include "base/digest.hpp"
#include "base/json.hpp"

namespace oco::reconcile {
namespace {

std::string_view label(omni::CredentialKind kind) {
    switch (kind) {
    case omni::CredentialKind::password:
        return "credential/password";
    case omni::CredentialKind::bigquery_service_account:
        return "credential/bigQueryServiceAccount";
    case omni::CredentialKind::snowflake_private_key:
        return "credential/snowflakePrivateKey";
    }
    return {};
}

std::string canonical(const omni::EnvironmentUserAttribute& attribute) {
    json::Writer writer;
    writer.begin_array();
    writer.value(attribute.state == omni::EnvironmentUserAttribute::State::present);
    writer.value(attribute.attribute_name);
    writer.value(attribute.default_values.fingerprint());
    writer.end_array();
    return writer.str();
}

std::string digest(const DigestKey& key, const std::string& uid, const Target& target,
                   std::string_view what, std::string_view value) {
    return keyed_digest(key.bytes, {uid, target.host, target.connection_id, what, value});
}

} // namespace

std::string credential_digest(const DigestKey& key, const std::string& uid, const Target& target,
                              omni::CredentialKind kind, const SecretBytes& value) {
    return digest(key, uid, target, label(kind), value.expose());
}

std::string base_role_digest(const DigestKey& key, const std::string& uid, const Target& target,
                             const std::string& role) {
    return digest(key, uid, target, omni::name(omni::Field::base_role), role);
}

std::string environment_digest(const DigestKey& key, const std::string& uid, const Target& target,
                               const omni::EnvironmentUserAttribute& attribute) {
    return digest(key, uid, target, omni::name(omni::Field::environment_user_attribute),
                  canonical(attribute));
}

} // namespace oco::reconcile
