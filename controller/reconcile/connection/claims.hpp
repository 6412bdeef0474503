// Who holds which field of which connection: gathers what ownership.hpp decides from. Nothing of
// the answer is kept; only who names which connection, and who waits to be woken.
#pragma once

#include "reconcile/account/instance_reconciler.hpp"
#include "reconcile/cluster/caches.hpp"
#include "reconcile/cluster/ownership.hpp"
#include "reconcile/connection/connection_state.hpp"
#include "reconcile/connection/observation.hpp"

#include <functional>
#include <set>

namespace oco::reconcile {

class Claims {
  public:
    using Wake = std::function<void(const ObjectKey&)>;

    Claims(const Services& services, const Caches& caches, const InstanceReconciler& instances,
           const ConnectionStates& states, Wake wake)
        : services_(services), caches_(caches), instances_(instances), states_(states),
          wake_(std::move(wake)) {}

    // This process begins to send.
    void begin() { begun_at_ = services_.runtime.now(); }

    // To be called whenever the object or its state may name another connection, or claim it in
    // another way: wakes the others that it concerns.
    void update(const api::OmniConnection& object, ConnectionState& state);
    // Its status vouches for something else now: who waits for that is woken.
    void wake_rivals(const ObjectKey& key);
    // It is gone.
    void erase(const ObjectKey& key, const ConnectionState& state);

    // Objects that were not known may be known now: who waits for that is woken.
    void wake_undecided();

    // How the object stands to the fields of `target` that it manages.
    std::map<omni::Field, FieldHolder> holders(const api::OmniConnection& object,
                                               ConnectionState& state, const Target& target);

  private:
    void note_doubt(ConnectionState& state, bool doubt,
                    const std::map<omni::Field, FieldHolder>& holders) const;
    [[nodiscard]] std::optional<Claim> claim_of(const api::OmniConnection& object,
                                                const ConnectionState& state,
                                                const Target& target) const;
    [[nodiscard]] const Vouch& vouched_for(const api::OmniConnection& object,
                                           const ConnectionState& state,
                                           const Target& target) const;
    [[nodiscard]] Claim pending_claim(const api::OmniConnection& object,
                                      const ConnectionState& state, const Target& target) const;
    [[nodiscard]] std::optional<Proof> proof_of(const api::OmniConnection& object,
                                                const ConnectionState& state, Allowance allowed,
                                                const Target& target) const;
    [[nodiscard]] std::vector<Claim> claims_on(const Target& target) const;
    // Another object whose status may still say that it has applied the field there.
    [[nodiscard]] std::optional<ObjectKey> voucher(const Target& target, omni::Field field,
                                                   const ObjectKey& beside) const;
    void note_unresolved(const ObjectKey& key, const std::optional<Claim>& before,
                         const std::optional<Claim>& now);
    void wake_others(const std::set<ObjectKey>& ids, const ObjectKey& beside);

    const Services& services_;
    const Caches& caches_;
    const InstanceReconciler& instances_;
    const ConnectionStates& states_;
    Wake wake_;
    rt::TimePoint begun_at_{};
    Index by_id_; // users: OmniConnections; used: ids of connections, as names
    // Names that are not resolved yet, and may mean any connection of the host: the oldest first.
    using Unresolved = std::set<std::pair<WallTime, ObjectKey>>;
    std::map<std::string, Unresolved> unresolved_; // by host
    std::set<ObjectKey> undecided_;                // wait for somebody's proof
};

} // namespace oco::reconcile
