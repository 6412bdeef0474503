// The result of a reconcile, and its conditions.
#pragma once

#include "kube/object.hpp"
#include "rt/runtime.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oco::reconcile {

enum class Readiness {
    ready,       // Ready=True
    progressing, // Ready=Unknown, Reconciling
    failing,     // Ready=False, Reconciling: recovers by itself
    stalled,     // Ready=False, Stalled: somebody must change something
};

// The reasons of `Ready`.
namespace reason {
inline constexpr std::string_view synced = "Synced";
inline constexpr std::string_view suspended = "Suspended";
inline constexpr std::string_view progressing = "Progressing";
inline constexpr std::string_view rate_limited = "RateLimited";
inline constexpr std::string_view secret_not_found = "SecretNotFound";
inline constexpr std::string_view secret_key_not_found = "SecretKeyNotFound";
inline constexpr std::string_view secret_access_denied = "SecretAccessDenied";
inline constexpr std::string_view instance_not_found = "InstanceNotFound";
inline constexpr std::string_view instance_not_ready = "InstanceNotReady";
inline constexpr std::string_view omni_unavailable = "OmniUnavailable";
inline constexpr std::string_view tls_verification_failed = "TLSVerificationFailed";
inline constexpr std::string_view invalid_credential = "InvalidCredential";
inline constexpr std::string_view credential_kind_mismatch = "CredentialKindMismatch";
inline constexpr std::string_view namespace_not_allowed = "NamespaceNotAllowed";
inline constexpr std::string_view connection_not_allowed = "ConnectionNotAllowed";
inline constexpr std::string_view host_not_allowed = "HostNotAllowed";
inline constexpr std::string_view unauthorized = "Unauthorized";
inline constexpr std::string_view forbidden = "Forbidden";
inline constexpr std::string_view connection_not_found = "ConnectionNotFound";
inline constexpr std::string_view connection_name_ambiguous = "ConnectionNameAmbiguous";
inline constexpr std::string_view connection_conflict = "ConnectionConflict";
inline constexpr std::string_view rejected = "Rejected";
// In no status: a dry run writes none.
inline constexpr std::string_view dry_run = "DryRun";
} // namespace reason

// The readiness of a reason; `suspended` is stalled only if something is pending, which the caller
// sets.
Readiness readiness_of(std::string_view reason);

struct Outcome {
    Readiness readiness = Readiness::progressing;
    std::string reason;
    std::string message;
    std::optional<rt::TimePoint> requeue_at = std::nullopt; // reconcile again then in any case
    // When it will probably continue, for the status, if that differs from `requeue_at`.
    std::optional<rt::TimePoint> expected = std::nullopt;
    // A wait that is usually over in a moment: the status shows it only if it lasts.
    bool transient = false;
};

Outcome outcome(std::string_view reason, std::string message);
// Progressing, for a wait that is usually over in a moment.
Outcome transient(std::string message);

// Ready, and Reconciling or Stalled where they are true.
std::vector<kube::Condition> conditions_of(const Outcome& outcome, std::int64_t generation);

// The error that a read of a Secret ended with, as an Outcome.
Outcome secret_outcome(const Error& error, const kube::ObjectKey& secret);
// One that is never sent, whoever names it: the cluster's or the operator's own. `wanted` is what
// it should hold: "API key".
std::optional<Outcome> refuse_secret(const kube::ObjectKey& secret, const std::string& type,
                                     const std::string& operator_namespace,
                                     std::string_view wanted);
Outcome missing_key_outcome(const kube::ObjectKey& secret, const std::string& key);

} // namespace oco::reconcile
