// The course of a decision: what is wanted, what Omni lacks of it, and whether it may be sent now.
#include "reconcile/connection/decide.hpp"

#include "base/digest.hpp"
#include "reconcile/connection/decider.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {
namespace {

using omni::Field;

// Rights are given in Omni, and nothing tells of it.
constexpr rt::Duration forbidden_probe_interval = std::chrono::minutes(10);
// What stands in the way of a repush that is due wakes by itself; time alone does not.
constexpr rt::Duration overdue_repush_interval = std::chrono::minutes(1);

} // namespace

std::optional<ListRequest> follow_spec(const Observation& seen, ConnectionState& state) {
    const std::int64_t generation = seen.object->meta.generation;
    if (std::exchange(state.generation_seen, generation) != generation) {
        state.lookup_since.reset();
        state.drift.begin_again();
        state.refusals.at_generation(generation);
    }
    // A reconcile request that was not seen before includes a drift check.
    const std::string& token = seen.object->reconcile_requested_at;
    if (std::exchange(state.request_seen, token) == token || token.empty() ||
        token == state.status.last_handled_reconcile_at)
        return std::nullopt;
    state.requested_at = seen.now;
    state.lookup_since.reset();
    state.drift.begin_again();
    if (state.list_for_request_at && seen.now < *state.list_for_request_at + request_interval)
        return std::nullopt; // check_request() wants one when it may
    state.list_for_request_at = seen.now;
    return ListRequest{.since = seen.now, .request_class = work::RequestClass::drift_list};
}

std::string retry_signature(const Observation& seen, const Digests& digests) {
    std::string text = std::to_string(seen.object->meta.generation) +
                       seen.object->reconcile_requested_at + seen.object->force_requested_at +
                       (seen.view ? seen.view->client_identity : std::string());
    for (const auto& [field, digest] : digests)
        text += digest;
    return fingerprint(text, 16);
}

Decision decide(const Observation& seen, const DigestKey& digest_key, ConnectionState& state,
                TargetState& fields) {
    Decider decider(seen, digest_key, state, fields);
    Action action = decider.run();
    return decider.with(std::move(action));
}

Decider::Decider(const Observation& seen, const DigestKey& digest_key, ConnectionState& state,
                 TargetState& fields)
    : seen_(seen), key_(digest_key), state_(state), fields_(fields), held_(seen.held()) {}

Decision Decider::with(Action action) {
    decision_.action = std::move(action);
    decision_.problem = worst_problem();
    return std::move(decision_);
}

Action Decider::run() {
    state_.force_pending = false;
    note_conflicts();
    if (held_.contains(Field::credential))
        if (auto read = examine_credential())
            return *read;
    examine_settings();
    if (seen_.view)
        judge_drift();
    forget_refusals_if_forced();
    recall_rejection();
    if (!pending().empty() && !state_.pending_since)
        state_.pending_since = seen_.now;
    note_forced(pending());
    if (auto end = check_suspension())
        return *end;
    if (!seen_.view)
        return finish(transient("the OmniInstance is being reconciled"));
    if (!seen_.view->usable)
        return finish(instance_not_ready(seen_));
    if (auto end = check_listing())
        return *end;
    check_dialect();
    if (auto prepare = check_preparation())
        return *prepare;
    const Choice choice = choose(pending(), digests(), state_.refusals);
    note_forced(choice.send);
    if (!choice.blocked.empty())
        problems_.push_back(outcome(reason::rejected, state_.refusal_message));
    if (choice.send.empty()) {
        if (!choice.blocked.empty())
            note_rejected(choice.blocked);
        return conclude();
    }
    if (auto end = check_patience())
        return *end;
    if (auto end = check_turn())
        return *end;
    if (choice.send.contains(Field::credential) && seen_.reading->spent)
        return read_secret(); // each attempt reads again
    return Send{.fields = choice.send, .request_class = request_class(choice.send)};
}

// Whoever asks for it has a reason to expect another answer.
void Decider::forget_refusals_if_forced() {
    const std::string& token = seen_.object->force_requested_at;
    if (token.empty() || token == state_.status.last_handled_force_at ||
        token == state_.refusals_forgotten_for)
        return;
    state_.refusals_forgotten_for = token;
    state_.refusals = {};
    state_.status.rejected.reset();
}

void Decider::note_forced(const FieldSet& fields) {
    state_.force_pending = std::ranges::any_of(fields, [&](Field field) { return forced(field); });
}

// --- who -------------------------------------------------------------------------------------

void Decider::note_conflicts() {
    std::string conflicting;
    const FieldHolder* conflict = nullptr;
    for (const auto& [field, holder] : seen_.holders) {
        const std::string name(api::name_in_status(field));
        switch (holder.by) {
        case HeldBy::self:
            break;
        case HeldBy::other:
            conflicting += (conflicting.empty() ? "" : ", ") + name;
            conflict = &holder;
            break;
        case HeldBy::undecided: {
            Outcome wait = transient("checking whether another OmniConnection manages the " + name);
            wait.requeue_at = holder.decided_at;
            problems_.push_back(std::move(wait));
            break;
        }
        case HeldBy::handover:
            problems_.push_back(transient("waiting for the OmniConnection that managed the " +
                                          name + " to give it up"));
            break;
        }
    }
    if (conflict == nullptr)
        return;
    const std::string other = conflict->other.ns == seen_.object->meta.key.ns
                                  ? "OmniConnection " + conflict->other.name
                                  : "another namespace's OmniConnection";
    Outcome loses = outcome(reason::connection_conflict,
                            other + " manages this connection's " + conflicting +
                                ", which is not sent from here; delete one of the two, or remove "
                                "what both manage from one");
    loses.requeue_at = conflict->decided_at;
    problems_.push_back(std::move(loses));
}

// --- whether now -----------------------------------------------------------------------------

bool Decider::suspended() const {
    return seen_.object->suspend || seen_.instance->suspend;
}

std::optional<Action> Decider::check_suspension() {
    if (!suspended())
        return std::nullopt;
    // Nothing is proved while it is suspended, and nothing that was not sent before is sent.
    const bool undecided = std::ranges::any_of(
        seen_.holders, [](const auto& entry) { return entry.second.by == HeldBy::undecided; });
    if (pending().empty() && !undecided)
        return conclude();
    if (!seen_.object->suspend)
        return finish(suspended_instance());
    Outcome waits = outcome(reason::suspended, "spec.suspend is true, and changes are pending; "
                                               "remove it to send them");
    waits.readiness = Readiness::stalled;
    return finish(std::move(waits));
}

std::optional<Action> Decider::check_patience() {
    Retry& retry = state_.retry;
    std::string signature = retry_signature(seen_, digests());
    if (!retry.signature.empty() && retry.signature != signature) {
        retry = {};
        state_.key_doubt = {};
    }
    retry.signature = std::move(signature);
    if (auto end = check_key())
        return end;
    // While the breaker is open, the one that tries next is the one the scheduler picks.
    const bool probes = seen_.breaker_open && readiness_of(retry.why.reason) == Readiness::failing;
    if (!retry.next_attempt || seen_.now >= *retry.next_attempt || probes)
        return std::nullopt;
    Outcome waiting =
        retry.why.reason.empty()
            ? outcome(reason::progressing, "an earlier attempt failed; waiting to retry")
            : retry.why;
    waiting.requeue_at = retry.next_attempt;
    return finish(std::move(waiting));
}

// After a 401 or 403: was it the key, or its rights to this connection?
std::optional<Action> Decider::check_key() {
    KeyDoubt& doubt = state_.key_doubt;
    if (!doubt.refused_at)
        return std::nullopt;
    const auto refused_at = *std::exchange(doubt.refused_at, std::nullopt);
    if (!(seen_.view->accepted_at >= refused_at)) {
        doubt.refused_at = refused_at;
        return finish(transient("Omni refused the request; checking the API key"));
    }
    const bool was_the_key = doubt.key_named || seen_.view->refused_at >= refused_at;
    if (was_the_key && !std::exchange(doubt.retried, true)) {
        state_.retry = {.signature = state_.retry.signature, .attempted = true};
        return std::nullopt; // and it is good again
    }
    state_.retry.why = outcome(reason::forbidden,
                               "the API key is valid, but may not change this connection; give its "
                               "owner Connection Admin on it. " +
                                   doubt.message);
    state_.retry.next_attempt = refused_at + forbidden_probe_interval;
    return std::nullopt;
}

std::optional<Action> Decider::check_turn() {
    if (seen_.under_way)
        return finish(transient("another change to the connection is being sent"));
    if (seen_.pace <= seen_.now)
        return std::nullopt;
    Outcome waiting = outcome(reason::rate_limited,
                              "too many changes: after " + std::to_string(PushPace::burst) +
                                  " pushes in a row, a connection gets one every 5 seconds");
    waiting.requeue_at = seen_.pace;
    return finish(std::move(waiting));
}

work::RequestClass Decider::request_class(const FieldSet& fields) const {
    if (std::ranges::all_of(fields, [&](Field field) { return state_.drift.corrects(field); }))
        return work::RequestClass::drift_correction;
    // A value that Omni has already, sent because somebody asks for it or in turn, is no rotation.
    if (!fields.contains(Field::credential) ||
        !fields_[Field::credential].lacks(seen_.object->meta.uid,
                                          decision_.digests.at(Field::credential), seen_.now))
        return work::RequestClass::settings;
    return state_.status.last_push_time.empty() ? work::RequestClass::new_object
                                                : work::RequestClass::rotation;
}

// --- the end ---------------------------------------------------------------------------------

Action Decider::finish(Outcome outcome) {
    return Finish{.outcome = std::move(outcome)};
}

// What you must change is reported before what heals by itself.
std::optional<Outcome> Decider::worst_problem() const {
    const auto worst = std::ranges::max_element(problems_, {}, &Outcome::readiness);
    return worst == problems_.end() ? std::nullopt : std::optional(*worst);
}

Action Decider::conclude() {
    const auto worst = worst_problem();
    Outcome result = worst ? *worst : in_step();
    const auto look_again = [&](std::optional<rt::TimePoint> when) {
        if (when && *when > seen_.now)
            result.requeue_at = std::min(result.requeue_at.value_or(*when), *when);
    };
    for (const Field field : held_)
        look_again(fields_[field].confirm_at(seen_.object->meta.uid));
    for (const auto& problem : problems_)
        look_again(problem.requeue_at);
    if (!suspended()) {
        look_again(next_drift_check());
        look_again(next_rights_check());
    }
    look_again(next_repush());
    return finish(std::move(result));
}

Outcome Decider::in_step() {
    state_.pending_since.reset();
    state_.retry = {};
    if (std::ranges::any_of(held_, [&](Field field) {
            return fields_[field].confirm_at(seen_.object->meta.uid).has_value();
        }))
        return outcome(
            reason::progressing,
            "Omni accepted the newest value; it is sent once more at "
            "status.nextAttemptTime, because an earlier request may still reach Omni: one "
            "without a response, or the last one of a process that crashed; nothing to do");
    if (seen_.object->suspend)
        return outcome(reason::suspended, "spec.suspend is true; no changes are pending");
    if (seen_.instance->suspend)
        return outcome(reason::suspended, "the OmniInstance is suspended; no changes are pending");
    if (auto wait = check_request())
        return *wait;
    return outcome(reason::synced,
                   state_.drift.given_up()
                       ? "Omni accepted what the spec and the Secret say, but keeps returning "
                         "another value for a setting, which is no longer corrected; set the spec "
                         "to the value in Omni"
                       : "Omni holds what the spec and the Secret say");
}

std::optional<rt::TimePoint> Decider::next_repush() const {
    const auto& spec = seen_.object->credential;
    const auto* applied = applied_credential();
    if (!spec || spec->repush_interval.count() == 0 || applied == nullptr)
        return std::nullopt;
    const auto pushed = parse_rfc3339(applied->pushed_at);
    const auto due = pushed.value_or(seen_.wall_now) + spec->repush_interval;
    const rt::Duration left = due - seen_.wall_now;
    return seen_.now + (left > rt::Duration::zero() ? left : overdue_repush_interval);
}

} // namespace oco::reconcile
