// What one look at the world shows of an OmniConnection: values, which stay as they are while the
// world goes on. After each wait comes another look.
#pragma once

#include "reconcile/account/instance_reconciler.hpp"
#include "reconcile/cluster/caches.hpp"
#include "reconcile/cluster/ownership.hpp"
#include "reconcile/connection/digests.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace oco::reconcile {

// Whether the credential can be sent, as far as its value tells.
struct Preparation {
    bool ends_in_newline = false;
    std::string error; // empty: it can
};

// What a read of the credential's Secret gave; without the value.
struct Reading {
    // Of the spec that it was read for.
    ObjectKey secret;
    std::string secret_key;
    std::string passphrase_key;
    omni::CredentialKind kind{};
    std::optional<Error> error; // and then nothing else

    kube::ObjectMeta meta;
    std::string type;
    std::string rotation_id;
    bool has_value = false;
    bool has_passphrase = false;
    std::string digest; // for the target; empty without a value
    // The version that the watch was at, once the Secret had been read; empty: it knew of none.
    std::string watched;
    bool spent = false; // it was sent: another attempt reads again
    std::optional<Preparation> prepared;
};

// How an object stands to a field that it manages.
enum class HeldBy {
    self,
    other,     // another object holds it
    undecided, // who holds it is not known yet
    handover,  // it holds it once the one before no longer vouches for it
};

struct FieldHolder {
    HeldBy by = HeldBy::self;
    ObjectKey other;                              // who holds it
    std::optional<rt::TimePoint> decided_at = {}; // it may turn out to be another's until then
};

struct Observation {
    rt::TimePoint now{};
    WallTime wall_now{};
    std::shared_ptr<const api::OmniConnection> object; // not null

    // Its namespace or its OmniInstance's, and why that is not known.
    std::optional<std::pair<std::string, Unread>> unread;

    // --- its OmniInstance
    bool namespace_watched = true;                     // the instance's
    std::shared_ptr<const api::OmniInstance> instance; // null: there is none
    Allowance allowed = Allowance::no;
    std::string namespaces_trouble;   // why that is unknown
    std::optional<InstanceView> view; // of this spec of the instance
    bool breaker_open = false;

    // --- its Secret
    std::optional<kube::ObjectMeta> watched_secret;
    // What the watch shows is no older than anything that was read.
    bool watch_is_current = true;
    std::optional<Reading> reading;

    // --- once it is known where: its fields there
    std::map<omni::Field, FieldHolder> holders; // of those that it manages
    bool under_way = false;                     // a PATCH to the connection, by whomever
    rt::TimePoint pace{};                       // when the connection may be pushed to again

    // --- the process
    std::string operator_namespace;
    std::string digest_key_id;

    [[nodiscard]] FieldSet held() const {
        FieldSet out;
        for (const auto& [field, holder] : holders)
            if (holder.by == HeldBy::self)
                out.insert(field);
        return out;
    }
};

} // namespace oco::reconcile
