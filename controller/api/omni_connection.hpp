// OmniConnection (omniconnection.io/v1alpha1): one connection that exists in Omni.
// Source of the shapes: crds/omniconnections.yaml.
#pragma once

#include "api/omni_instance.hpp"
#include "omni/credential.hpp"
#include "omni/types.hpp"

#include <chrono>

namespace oco::api {

struct CredentialSpec {
    omni::CredentialKind kind = omni::CredentialKind::password;
    SecretKeyRef secret;
    std::string passphrase_key; // empty: none
    std::chrono::seconds repush_interval{0};
};

struct AppliedCredential {
    std::string secret_name;
    std::string secret_key;
    std::string secret_uid;
    std::string secret_resource_version;
    std::string rotation_id;
    std::string digest;
    std::string key_id;
    std::string pushed_at;

    bool operator==(const AppliedCredential&) const = default;
};

struct AppliedBaseRole {
    std::string value;
    std::string pushed_at;

    bool operator==(const AppliedBaseRole&) const = default;
};

struct AppliedEnvironmentUserAttribute {
    omni::EnvironmentUserAttribute value;
    std::string pushed_at;

    bool operator==(const AppliedEnvironmentUserAttribute&) const = default;
};

// Where credentials and settings are sent.
struct Target {
    std::string host; // with the port where it is not 443
    std::string connection_id;

    auto operator<=>(const Target&) const = default;

    [[nodiscard]] bool empty() const { return host.empty() || connection_id.empty(); }
};

// What Omni is known to hold. An absent entry means "not known".
struct Applied {
    Target target;
    std::optional<AppliedCredential> credential;
    std::optional<AppliedBaseRole> base_role;
    std::optional<AppliedEnvironmentUserAttribute> environment_user_attribute;

    bool operator==(const Applied&) const = default;
};

struct Rejected {
    std::int64_t generation = 0;
    std::string digest;

    bool operator==(const Rejected&) const = default;
};

struct OmniConnection {
    ObjectMeta meta;
    std::string reconcile_requested_at; // the effective annotation, ours before Flux's
    std::string force_requested_at;

    ObjectKey instance;
    std::string connection_id; // one of these two
    std::string connection_name;
    std::optional<CredentialSpec> credential;
    std::optional<std::string> base_role;
    std::optional<omni::EnvironmentUserAttribute> environment_user_attribute;
    std::chrono::seconds drift_check_interval{3600};
    bool suspend = false;

    struct Status {
        std::int64_t observed_generation = -1;
        std::vector<Condition> conditions;
        std::string last_handled_reconcile_at;
        std::string last_handled_force_at;
        std::string connection_id;
        std::string resolved_from; // the OmniInstance and the name; empty: from no name
        std::string dialect;
        std::string next_attempt_time;
        std::int64_t failures = 0;
        std::string last_push_time;
        Applied applied;
        // Sent without a response: what Omni holds for these is unknown, and may still change.
        std::set<omni::Field> unanswered;
        std::optional<Rejected> rejected;

        bool operator==(const Status&) const = default;
    } status;

    static OmniConnection decode(const json::Value& object);

    // With everything that one can say.
    static Status complete_status();
};

// A field as the status names it: as the spec does.
std::string_view name_in_status(omni::Field field);

// For a JSON merge patch: what is absent is null.
void encode(json::Writer& writer, const OmniConnection::Status& status);
// The part of it that other objects go by: `applied` and `unanswered`.
void encode_claims(json::Writer& writer, const OmniConnection::Status& status);

} // namespace oco::api
