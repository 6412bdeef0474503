// Prints, as JSON, an OmniConnection and an OmniInstance in each state that the operator writes:
// for tests of what others make of these statuses (kstatus, Argo CD). [{"name", "object"}, ...]
#include "api/omni_connection.hpp"
#include "reconcile/status/outcome.hpp"

#include <array>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace oco;
using reconcile::Outcome;
using reconcile::Readiness;
namespace reason = reconcile::reason;

constexpr std::int64_t generation = 2; // of every object

constexpr std::array reasons{reason::synced,
                             reason::suspended,
                             reason::progressing,
                             reason::rate_limited,
                             reason::secret_not_found,
                             reason::secret_key_not_found,
                             reason::secret_access_denied,
                             reason::instance_not_found,
                             reason::instance_not_ready,
                             reason::omni_unavailable,
                             reason::tls_verification_failed,
                             reason::invalid_credential,
                             reason::credential_kind_mismatch,
                             reason::namespace_not_allowed,
                             reason::connection_not_allowed,
                             reason::host_not_allowed,
                             reason::unauthorized,
                             reason::forbidden,
                             reason::connection_not_found,
                             reason::connection_name_ambiguous,
                             reason::connection_conflict,
                             reason::rejected};

struct Sample {
    std::string name;
    Outcome outcome;
    std::int64_t observed_generation = generation;
};

Sample in_shape(std::string name, std::string_view reason, Readiness readiness) {
    Sample sample{.name = std::move(name), .outcome = reconcile::outcome(reason, "a sentence")};
    sample.outcome.readiness = readiness;
    return sample;
}

std::vector<Sample> samples() {
    std::vector<Sample> out;
    out.reserve(reasons.size() + 4);
    for (const std::string_view reason : reasons)
        out.push_back(
            {.name = std::string(reason), .outcome = reconcile::outcome(reason, "a sentence")});
    out.push_back(in_shape("Suspended, pending", reason::suspended, Readiness::stalled));
    out.push_back(
        in_shape("InstanceNotReady, stalled", reason::instance_not_ready, Readiness::stalled));
    out.push_back(in_shape("InstanceNotReady, progressing", reason::instance_not_ready,
                           Readiness::progressing));
    out.push_back(in_shape("Synced, of the spec before", reason::synced, Readiness::ready));
    out.back().observed_generation = generation - 1;
    return out;
}

// A merge patch says `null` for what is absent; an object as the API server has it does not.
void drop_nulls(json::Value& value) {
    if (value.IsArray())
        for (json::Value& item : value.GetArray())
            drop_nulls(item);
    if (!value.IsObject())
        return;
    for (auto member = value.MemberBegin(); member != value.MemberEnd();) {
        if (member->value.IsNull()) {
            member = value.EraseMember(member);
        } else {
            drop_nulls(member->value);
            ++member;
        }
    }
}

template<class Status>
void write_object(json::Writer& writer, std::string_view kind, const Status& status) {
    json::Writer encoded;
    api::encode(encoded, status);
    auto document = json::parse(encoded.view()).value();
    drop_nulls(document);
    writer.field("object").begin_object();
    writer.member("apiVersion", "omniconnection.io/v1alpha1").member("kind", kind);
    writer.field("metadata").begin_object();
    writer.member("name", "sales").member("namespace", "analytics");
    writer.member("generation", generation).end_object();
    writer.field("spec").begin_object().end_object();
    writer.field("status").value(static_cast<const json::Value&>(document));
    writer.end_object();
}

template<class Object>
void write_sample(json::Writer& writer, std::string_view kind, const Sample& sample) {
    typename Object::Status status;
    status.observed_generation = sample.observed_generation;
    kube::set_conditions(status.conditions,
                         reconcile::conditions_of(sample.outcome, sample.observed_generation),
                         WallTime());
    writer.begin_object().member("name", sample.name);
    write_object(writer, kind, status);
    writer.end_object();
}

} // namespace

int main() {
    json::Writer writer;
    writer.begin_array();
    for (const Sample& sample : samples()) {
        write_sample<api::OmniConnection>(writer, "OmniConnection", sample);
        write_sample<api::OmniInstance>(writer, "OmniInstance", sample);
    }
    writer.end_array();
    std::puts(writer.str().c_str());
}
