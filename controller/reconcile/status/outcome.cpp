#include "reconcile/status/outcome.hpp"

#include "base/text.hpp"
#include "kube/secret.hpp"
#include "reconcile/cluster/digest_key.hpp"

#include <algorithm>
#include <array>

namespace oco::reconcile {
namespace {

constexpr std::array progressing_reasons{reason::progressing, reason::rate_limited,
                                         reason::dry_run};
constexpr std::array failing_reasons{reason::secret_not_found,       reason::secret_key_not_found,
                                     reason::secret_access_denied,   reason::instance_not_found,
                                     reason::instance_not_ready,     reason::omni_unavailable,
                                     reason::tls_verification_failed};
constexpr std::array ready_reasons{reason::synced, reason::suspended};

template<std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view reason) {
    return std::ranges::find(list, reason) != list.end();
}

std::string_view ready_status(Readiness readiness) {
    return readiness == Readiness::ready         ? "True"
           : readiness == Readiness::progressing ? "Unknown"
                                                 : "False";
}

} // namespace

Readiness readiness_of(std::string_view reason) {
    return contains(ready_reasons, reason)         ? Readiness::ready
           : contains(progressing_reasons, reason) ? Readiness::progressing
           : contains(failing_reasons, reason)     ? Readiness::failing
                                                   : Readiness::stalled;
}

Outcome outcome(std::string_view reason, std::string message) {
    return {.readiness = readiness_of(reason),
            .reason = std::string(reason),
            .message = printable(message)};
}

Outcome transient(std::string message) {
    Outcome wait = outcome(reason::progressing, std::move(message));
    wait.transient = true;
    return wait;
}

std::vector<kube::Condition> conditions_of(const Outcome& outcome, std::int64_t generation) {
    std::vector<kube::Condition> out;
    const auto add = [&](std::string_view type, std::string_view status) {
        out.push_back({.type = std::string(type),
                       .status = std::string(status),
                       .reason = outcome.reason,
                       .message = outcome.message,
                       .observed_generation = generation});
    };
    add("Ready", ready_status(outcome.readiness));
    if (outcome.readiness == Readiness::progressing || outcome.readiness == Readiness::failing)
        add("Reconciling", "True");
    if (outcome.readiness == Readiness::stalled)
        add("Stalled", "True");
    return out;
}

Outcome secret_outcome(const Error& error, const kube::ObjectKey& secret) {
    switch (error.kind) {
    case ErrorClass::not_found:
        return outcome(reason::secret_not_found,
                       "Secret " + secret.str() +
                           " does not exist; create it, or correct the name");
    case ErrorClass::forbidden:
        return outcome(reason::secret_access_denied,
                       "the operator may not read Secret " + secret.str() +
                           "; grant its service account `get` on secrets in that namespace");
    default:
        return outcome(reason::progressing,
                       "Secret " + secret.str() + " could not be read: " + error.message);
    }
}

std::optional<Outcome> refuse_secret(const kube::ObjectKey& secret, const std::string& type,
                                     const std::string& operator_namespace,
                                     std::string_view wanted) {
    const bool own = secret.ns == operator_namespace && secret.name == digest_key_secret;
    if (!own && !kube::is_cluster_secret(type))
        return std::nullopt;
    return outcome(
        reason::invalid_credential,
        "Secret " + secret.str() + (own ? " is the operator's own" : " has type " + type) +
            ", which is never sent; name a Secret that holds the " + std::string(wanted));
}

Outcome missing_key_outcome(const kube::ObjectKey& secret, const std::string& key) {
    return outcome(reason::secret_key_not_found, "Secret " + secret.str() + " has no key \"" + key +
                                                     "\"; add the key, or name another one");
}

} // namespace oco::reconcile
