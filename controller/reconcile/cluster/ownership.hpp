// Which object may write which field of which Omni connection. Pure: made from what the objects,
// their statuses and Omni say now, and remembered by nobody.
#pragma once

#include "api/omni_connection.hpp"
#include "rt/runtime.hpp"

#include <optional>
#include <set>
#include <span>

namespace oco::reconcile {

using api::Target;
using kube::ObjectKey;
using FieldSet = std::set<omni::Field>;

// Whether an object may claim the connection that it names: its OmniInstance allows it, and Omni
// has accepted the instance's key and shown it the connection; or its status says that it has sent
// something there.
enum class Proof {
    pending,    // not known yet
    unreadable, // it can be neither proved nor disproved: the key may not read, or is refused now
    proved,
};

// Nobody waits longer than this for a proof that is pending.
inline constexpr rt::Duration longest_doubt = std::chrono::minutes(1);

// What one object says of one connection.
struct Claim {
    ObjectKey key;
    Target target; // without an id: a name that is not resolved yet, and may mean any connection
    WallTime created{};
    FieldSet fields; // that it manages
    Proof proof = Proof::pending;
    rt::TimePoint pending_until{}; // nobody waits longer for a proof
    FieldSet sent;                 // of them, those that its status says it has sent there
};

// The fields that an object manages.
FieldSet managed_fields(const api::OmniConnection& object);

struct Ownership {
    std::optional<ObjectKey> holder; // nullopt: nobody may send
    // An older object may turn out to be the holder until then.
    std::optional<rt::TimePoint> decided_at;
};

// Of the objects that claim the field: the oldest of those with a proof; behind them, those whose
// key may not read. While the proof of an older one is pending, whoever has sent it before goes on,
// unless it ranks behind another however that is decided; and nobody else sends.
Ownership ownership_of(std::span<const Claim> claims, omni::Field field, rt::TimePoint now);
// The same for who has waited long enough: whatever is pending counts as not proved.
Ownership ownership_without_doubt(std::span<const Claim> claims, omni::Field field);

} // namespace oco::reconcile
