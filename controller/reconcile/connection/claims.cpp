#include "reconcile/connection/claims.hpp"

#include "base/mutation.hpp"
#include "reconcile/connection/locate.hpp"
#include "reconcile/connection/targets.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace oco::reconcile {
namespace {

// Whoever waits for others may have time to send something while they are gone for longer.
constexpr rt::Duration moment = std::chrono::seconds(2);

// A connection's id as the index has it.
ObjectKey id_key(std::string id) {
    return {.ns = "", .name = std::move(id)};
}

std::set<ObjectKey> ids_of(const api::OmniConnection& object, const ConnectionState& state) {
    std::set<ObjectKey> ids;
    const std::string& named = object.connection_id.empty() ? state.pin.id : object.connection_id;
    if (!named.empty())
        ids.insert(id_key(named));
    for (const Target& target : state.vouched.targets())
        ids.insert(id_key(target.connection_id));
    return ids;
}

// An instance that is not in use: will it be by itself, as far as can be told?
bool may_become_usable(const Outcome& outcome) {
    constexpr std::array reasons{reason::progressing, reason::rate_limited,
                                 reason::omni_unavailable, reason::tls_verification_failed};
    return std::ranges::find(reasons, outcome.reason) != reasons.end();
}

bool same(const std::optional<Claim>& a, const std::optional<Claim>& b) {
    return a.has_value() == b.has_value() &&
           (!a || (a->target == b->target && a->fields == b->fields && a->proof == b->proof &&
                   a->sent == b->sent));
}

// Another connection is named; not: the name is resolved by now.
bool moved(const Target& from, const Target& to) {
    return from.host != to.host || (!from.connection_id.empty() && !to.connection_id.empty() &&
                                    from.connection_id != to.connection_id);
}

bool pending(const std::optional<Claim>& claim) {
    return claim && claim->proof == Proof::pending;
}

} // namespace

// --- one object's claim ------------------------------------------------------------------------

// Whoever turns to another OmniInstance takes nothing along that the one before has proved. If that
// may have happened before this process began, the status counts until the instance is known.
const Vouch& Claims::vouched_for(const api::OmniConnection& object, const ConnectionState& state,
                                 const Target& target) const {
    static const Vouch none;
    if (state.vouched_through == object.instance)
        return state.vouched.at(target);
    const auto instance = caches_.instances.get(object.instance);
    const auto view = instances_.view(object.instance);
    const bool known = instance && view && view->is_of(*instance);
    return state.vouched_through || known ? none : state.vouched.at(target);
}

std::optional<Proof> Claims::proof_of(const api::OmniConnection& object,
                                      const ConnectionState& state, Allowance allowed,
                                      const Target& target) const {
    if (allowed == Allowance::unknown)
        return Proof::pending;
    const auto instance = caches_.instances.get(object.instance);
    const auto view = instances_.view(object.instance);
    // With a key that Omni refuses, what was applied is no reason to stand before those whose keys
    // are good.
    const Vouch& vouched = vouched_for(object, state, target);
    if (!vouched.applied.empty() || mutated("claim-without-proof"))
        return view && view->key_is_refused() ? Proof::unreadable : Proof::proved;
    // What was sent, and not answered well, was sent by a holder.
    const bool sent = !vouched.sent.empty();
    if (!view || !view->is_of(*instance))
        return sent ? Proof::proved : Proof::pending;
    const Directory& directory = *view->directory;
    const bool key_is_good = view->accepted_at && !view->key_is_refused();
    if (key_is_good && directory.find_present(target.connection_id) != nullptr)
        return Proof::proved;
    if (!view->usable && sent)
        return Proof::proved;
    if (!view->usable)
        return may_become_usable(view->outcome) ? std::optional(Proof::pending) : std::nullopt;
    if (directory.refused)
        return Proof::unreadable;
    const bool by_name = object.connection_id.empty();
    const bool new_name = by_name && state.pin.meaning != meaning_of(object, target.host);
    const auto since = by_name ? state.pin.since : state.lookup_since;
    const bool list_under_way =
        new_name || !directory.asked_at || (since && *directory.asked_at < *since);
    return list_under_way ? std::optional(Proof::pending) : std::nullopt;
}

std::optional<Claim> Claims::claim_of(const api::OmniConnection& object,
                                      const ConnectionState& state, const Target& target) const {
    if (object.meta.deleting && !mutated("deleted-objects-hold"))
        return std::nullopt;
    const auto instance = caches_.instances.get(object.instance);
    // What its status says is all that is known, where the instance can't be read.
    if (!instance && caches_.unread_in(object.instance.ns) != nullptr && state.target == target)
        return pending_claim(object, state, target);
    if (!instance)
        return std::nullopt;
    const Allowance allowed = allowance(caches_, *instance, object.meta.key.ns);
    if (allowed == Allowance::no)
        return std::nullopt;
    const auto named = named_target(object, *instance, state.pin);
    const bool unresolved = named && named->connection_id.empty();
    if (!named || named->host != target.host ||
        (!unresolved && named->connection_id != target.connection_id))
        return std::nullopt;
    const auto& visible = instance->allowed_connections;
    const bool may_mean_it =
        !visible || target.connection_id.empty() || visible->contains(target.connection_id);
    if (unresolved && !may_mean_it)
        return std::nullopt;
    const auto proof = proof_of(object, state, allowed, *named);
    if (!proof || (unresolved && *proof != Proof::pending))
        return std::nullopt;
    Claim claim = pending_claim(object, state, *named);
    claim.proof = *proof;
    return claim;
}

Claim Claims::pending_claim(const api::OmniConnection& object, const ConnectionState& state,
                            const Target& target) const {
    Claim claim{.key = object.meta.key,
                .target = target,
                .created = object.meta.created,
                .fields = managed_fields(object),
                .pending_until =
                    state.unproved_since.value_or(services_.runtime.now()) + longest_doubt};
    if (!target.connection_id.empty())
        for (const omni::Field field : vouched_for(object, state, target).sent)
            if (claim.fields.contains(field))
                claim.sent.insert(field);
    return claim;
}

// --- all of them -------------------------------------------------------------------------------

std::vector<Claim> Claims::claims_on(const Target& target) const {
    std::vector<Claim> claims;
    const auto add = [&](const ObjectKey& key) {
        const auto object = caches_.connections.get(key);
        const auto state = states_.find(key);
        if (!object || state == states_.end() || state->second->uid != object->meta.uid)
            return false;
        auto claim = claim_of(*object, *state->second, target);
        const bool may_wait = pending(claim) && claim->pending_until > services_.runtime.now();
        if (claim)
            claims.push_back(std::move(*claim));
        return may_wait;
    };
    for (const auto& key : by_id_.users_of(id_key(target.connection_id)))
        add(key);
    // One that is pending is enough to wait for; whoever waits is woken when it is decided.
    if (const auto names = unresolved_.find(target.host); names != unresolved_.end())
        for (const auto& [created, key] : names->second)
            if (add(key))
                break;
    // An older one may be in a namespace that could not be read yet.
    if (const auto until = begun_at_ + longest_doubt;
        !caches_.unread.empty() && until > services_.runtime.now())
        claims.push_back({.key = {},
                          .target = target,
                          .created = WallTime::min(),
                          .fields = {all_fields.begin(), all_fields.end()},
                          .proof = Proof::pending,
                          .pending_until = until});
    return claims;
}

std::optional<ObjectKey> Claims::voucher(const Target& target, omni::Field field,
                                         const ObjectKey& beside) const {
    if (mutated("applied-kept-over-a-lost-claim"))
        return std::nullopt;
    for (const auto& key : by_id_.users_of(id_key(target.connection_id)))
        if (const auto state = states_.find(key);
            key != beside && state != states_.end() &&
            state->second->vouched.at(target).applied.contains(field))
            return key;
    return std::nullopt;
}

// Others who are gone for a moment, too short to send anything, do not make it wait from the
// beginning; another who holds does.
void Claims::note_doubt(ConnectionState& state, bool doubt,
                        const std::map<omni::Field, FieldHolder>& holders) const {
    const auto now = services_.runtime.now();
    const bool other_holds = std::ranges::any_of(holders, [](const auto& entry) {
        return entry.second.by == HeldBy::other && !entry.second.decided_at;
    });
    if (doubt) {
        state.undecided_since = state.undecided_since.value_or(now);
        state.decided_since.reset();
    } else {
        state.decided_since = state.decided_since.value_or(now);
        if (other_holds)
            state.undecided_since.reset();
    }
}

std::map<omni::Field, FieldHolder> Claims::holders(const api::OmniConnection& object,
                                                   ConnectionState& state, const Target& target) {
    std::map<omni::Field, FieldHolder> out;
    if (target.empty())
        return out;
    // Whoever waits does so for a minute at most, however many others come and go meanwhile.
    const auto now = services_.runtime.now();
    if (state.decided_since && now >= *state.decided_since + moment)
        state.undecided_since.reset();
    const auto waits_until = state.undecided_since.value_or(now) + longest_doubt;
    bool doubt = false;
    const ObjectKey& self = object.meta.key;
    const auto claims = claims_on(target);
    undecided_.erase(self);
    for (const omni::Field field : managed_fields(object)) {
        Ownership ownership = ownership_of(claims, field, now);
        Ownership without_doubt = ownership_without_doubt(claims, field);
        // It waits for the proofs of others only if it would hold the field without them: not while
        // its own proof is missing, nor behind another holder.
        doubt |= ownership.decided_at && ownership.holder != self && without_doubt.holder == self;
        if (ownership.decided_at && now >= waits_until)
            ownership = std::move(without_doubt);
        else if (ownership.decided_at)
            ownership.decided_at = std::min(*ownership.decided_at, waits_until);
        FieldHolder holder;
        if (ownership.holder == self) {
            if (const auto before = voucher(target, field, self)) {
                holder = {.by = HeldBy::handover, .other = *before};
                wake_(*before);
            }
        } else {
            holder = {.by = ownership.holder ? HeldBy::other : HeldBy::undecided,
                      .other = ownership.holder.value_or(ObjectKey()),
                      .decided_at = ownership.decided_at};
            if (ownership.decided_at)
                undecided_.insert(self);
        }
        out.emplace(field, std::move(holder));
    }
    note_doubt(state, doubt, out);
    return out;
}

void Claims::update(const api::OmniConnection& object, ConnectionState& state) {
    const ObjectKey& key = object.meta.key;
    const std::set<ObjectKey> before = by_id_.used_by(key);
    const std::set<ObjectKey> ids = ids_of(object, state);
    if (ids != before)
        by_id_.set(key, ids);

    const auto instance = caches_.instances.get(object.instance);
    const bool unread = !instance && caches_.unread_in(object.instance.ns) != nullptr;
    const auto named = instance ? named_target(object, *instance, state.pin)
                       : unread ? std::optional(state.target)
                                : std::nullopt;
    auto claim = named ? claim_of(object, state, *named) : std::nullopt;
    if (!pending(claim)) {
        state.unproved_since.reset();
    } else if (!state.unproved_since ||
               (state.claimed && moved(state.claimed->target, claim->target))) {
        state.unproved_since = services_.runtime.now();
        claim->pending_until = *state.unproved_since + longest_doubt;
    }

    if (ids == before && same(claim, state.claimed))
        return;
    const bool decided = pending(state.claimed) && !pending(claim);
    note_unresolved(key, state.claimed, claim);
    state.claimed = std::move(claim);
    std::set<ObjectKey> concerned = ids;
    concerned.insert(before.begin(), before.end());
    wake_others(concerned, key);
    if (decided)
        wake_undecided();
}

void Claims::note_unresolved(const ObjectKey& key, const std::optional<Claim>& before,
                             const std::optional<Claim>& now) {
    const auto unresolved = [](const std::optional<Claim>& claim) {
        return claim && claim->target.connection_id.empty();
    };
    if (unresolved(before))
        if (const auto names = unresolved_.find(before->target.host); names != unresolved_.end()) {
            names->second.erase({before->created, key});
            if (names->second.empty())
                unresolved_.erase(names);
        }
    if (unresolved(now))
        unresolved_[now->target.host].emplace(now->created, key);
}

void Claims::wake_rivals(const ObjectKey& key) {
    wake_others(by_id_.used_by(key), key);
}

void Claims::erase(const ObjectKey& key, const ConnectionState& state) {
    const std::set<ObjectKey> ids = by_id_.used_by(key);
    by_id_.erase(key);
    note_unresolved(key, state.claimed, std::nullopt);
    undecided_.erase(key);
    wake_others(ids, key);
    wake_undecided();
}

void Claims::wake_undecided() {
    for (const auto& waiting : std::exchange(undecided_, {}))
        wake_(waiting);
}

void Claims::wake_others(const std::set<ObjectKey>& ids, const ObjectKey& beside) {
    for (const auto& id : ids)
        for (const auto& other : by_id_.users_of(id))
            if (other != beside)
                wake_(other);
}

} // namespace oco::reconcile
