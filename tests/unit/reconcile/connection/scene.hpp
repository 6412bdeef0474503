// What the tests of pure decisions begin with: an object whose fields are in step, and a look at
// the world that shows nothing else.
#pragma once

#include "reconcile/connection/decide.hpp"
#include "reconcile/connection/locate.hpp"
#include "support/sim_runtime.hpp"
#include "support/test_time.hpp"

#include <string>

namespace oco::test {

// OmniConnection team/app (UID "u", generation 3) manages the password in Secret team/db and the
// base role VIEWER of connection "c1", by OmniInstance team/omni. Applied: the Secret's version 5,
// whose digest is "d5", and the role. The list of connections is ten minutes old. Drift checks are
// off.
struct Scene {
    Scene();

    // As changes to what is in the const shared objects of an Observation take effect.
    reconcile::Observation look() const;
    reconcile::Decision decide();
    reconcile::Place locate();

    // The watch shows the Secret at that version.
    void secret_at(const std::string& version);
    // It was read, with a value of that digest, and can be sent.
    void read(const std::string& version, const std::string& digest);
    // Applied with that digest, at that version.
    void apply_credential(api::AppliedCredential entry);
    void apply_role(const std::string& role);
    // Both differ from what is applied, and the credential was read.
    void change_all();
    [[nodiscard]] reconcile::Digests wanted() const;
    [[nodiscard]] const api::AppliedCredential* applied_credential() const;

    SimRuntime runtime;
    rt::TimePoint now = start;
    const WallTime wall_now = *parse_rfc3339("2026-11-30T12:00:00Z");
    const reconcile::Target target{.host = "acme.omniapp.co", .connection_id = "c1"};
    const reconcile::DigestKey key{.bytes = SecretBytes("0123456789abcdef0123456789abcdef"),
                                   .id = "k1"};

    api::OmniConnection object;
    api::OmniInstance instance;
    bool instance_exists = true;
    reconcile::InstanceView view;
    bool view_exists = true;
    reconcile::Directory directory;
    // The rest; of an empty `holders`, the object holds all that it manages.
    reconcile::Observation rest;
    reconcile::ConnectionState state;
    reconcile::TargetState fields;
};

// "send credential base_role as rotation", "read team/db password@6", "prepare", "Synced ready
// again+30", "Progressing progressing soon": soon is what is transient. With a list that is wanted:
// "; list+0".
std::string say(const reconcile::Decision& decision, rt::TimePoint now);
std::string say(const reconcile::Outcome& outcome, rt::TimePoint now);
std::string say(const std::optional<reconcile::ListRequest>& list, rt::TimePoint now);
// The message of what it finishes with; empty: it does not finish.
std::string message_of(const reconcile::Decision& decision);

} // namespace oco::test
