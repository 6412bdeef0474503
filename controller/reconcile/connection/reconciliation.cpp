// A Reconciliation's course: who may send where, and whether now.
#include "reconcile/connection/reconciliation.hpp"

#include "base/digest.hpp"

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

Reconciliation::Reconciliation(ConnectionReconciler& owner, Object object,
                               std::shared_ptr<ConnectionState> state)
    : owner_(owner), services_(owner.services_), object_(std::move(object)),
      held_memory_(std::move(state)), status_(state_.status) {}

asio::awaitable<Outcome> Reconciliation::run() {
    if (state_.generation != object_->meta.generation) {
        state_.lookup_since.reset();
        state_.drift.begin_again();
    }
    if (auto end = find_instance())
        co_return *end;
    note_request();
    if (auto end = find_target())
        co_return *end;
    find_holdings();
    state_.refusals.at_generation(object_->meta.generation);
    keep_applicable(status_.applied, target_, held_);
    if (held_.contains(Field::credential)) {
        co_await examine_credential();
        if (overtaken())
            co_return begin_again();
    }
    examine_settings();
    judge_drift();
    recall_rejection();
    if (!pending_.empty() && !state_.pending_since)
        state_.pending_since = services_.runtime.now();
    if (auto end = check_suspension())
        co_return *end;
    if (!instance_state_->usable)
        co_return instance_not_ready();
    if (auto end = check_listing())
        co_return *end;
    check_dialect();
    if (pending_.contains(Field::credential)) {
        co_await prepare_credential();
        if (overtaken())
            co_return begin_again();
    }
    const Choice choice = choose(pending_, digests_, state_.refusals);
    choice_ = choice.send;
    if (!choice.blocked.empty())
        problems_.push_back(outcome(reason::rejected, state_.refusal_message));
    if (choice_.empty())
        co_return conclude();
    if (services_.settings.dry_run)
        co_return report_dry_run();
    if (auto end = check_patience())
        co_return *end;
    co_return co_await push();
}

// A reconcile request that was not seen before includes a drift check.
void Reconciliation::note_request() {
    const std::string& token = object_->reconcile_requested_at;
    if (std::exchange(state_.request_seen, token) == token || token.empty() ||
        token == status_.last_handled_reconcile_at)
        return;
    state_.requested_at = services_.runtime.now();
    state_.lookup_since.reset();
    state_.drift.begin_again();
    request_list(*state_.requested_at, work::RequestClass::lookup);
}

Reconciliation::Step Reconciliation::check_suspension() {
    if (!object_->suspend && !instance_->suspend)
        return std::nullopt;
    if (pending_.empty())
        return conclude();
    Outcome suspended = outcome(
        reason::suspended, object_->suspend ? "spec.suspend is true, and changes wait to be sent"
                                            : "the OmniInstance is suspended, and changes wait");
    suspended.readiness = Readiness::stalled;
    return suspended;
}

bool Reconciliation::find_instance_state() {
    instance_state_ = owner_.instances_.view(object_->instance);
    return instance_state_ && instance_state_->uid == instance_->meta.uid &&
           instance_state_->generation == instance_->meta.generation;
}

// While the attempt waited, what it goes by may have changed: the object, its instance (whose state
// may be gone), or who holds a field. Then the queue holds its key again.
bool Reconciliation::overtaken() {
    const auto same = [](const auto& before, const auto& now) {
        return now && now->meta.uid == before->meta.uid &&
               now->meta.generation == before->meta.generation;
    };
    return !same(object_, owner_.caches_.connections.get(object_->meta.key)) ||
           !same(instance_, owner_.caches_.instances.get(object_->instance)) ||
           !find_instance_state() || std::ranges::any_of(held_, [&](Field field) {
               return owner_.caches_.ownership.holder(target_, field) != object_->meta.key;
           });
}

Outcome Reconciliation::begin_again() const {
    Outcome again = transient("the object changed meanwhile; looking again");
    again.requeue_at = services_.runtime.now();
    return again;
}

// --- where -----------------------------------------------------------------------------------

Reconciliation::Step Reconciliation::find_instance() {
    const ObjectKey& key = object_->instance;
    const bool foreign = key.ns != object_->meta.key.ns;
    if (!owner_.caches_.watches(key.ns, services_.settings))
        return outcome(reason::namespace_not_allowed,
                       "namespace " + key.ns +
                           " of the OmniInstance is not watched by this operator (--namespace)");
    instance_ = owner_.caches_.instances.get(key);
    const bool allowed =
        instance_ && namespace_allowed(owner_.caches_, *instance_, object_->meta.key.ns);
    const kube::Watcher* watcher = owner_.caches_.namespace_watcher;
    if (foreign && !allowed && instance_ && instance_->allowed_from == "Selector" &&
        watcher != nullptr && !watcher->synced() && !watcher->trouble().empty())
        return outcome(reason::namespace_not_allowed,
                       "whether an OmniInstance allows this namespace is not known: " +
                           watcher->trouble());
    if (foreign && !allowed) // absent and not allowed read alike
        return outcome(reason::namespace_not_allowed,
                       "there is no OmniInstance " + key.str() + " that allows namespace " +
                           object_->meta.key.ns + " (spec.allowedNamespaces)");
    if (!instance_)
        return outcome(reason::instance_not_found, "OmniInstance " + key.str() +
                                                       " does not exist; create it, or correct "
                                                       "spec.instanceRef");
    if (!find_instance_state()) {
        return transient("the OmniInstance is being looked at");
    }
    return std::nullopt;
}

// The instance's shape and message; a refused key and a spent budget keep their own reason.
Outcome Reconciliation::instance_not_ready() const {
    const Outcome& theirs = instance_state_->outcome;
    if (theirs.reason == reason::unauthorized || theirs.reason == reason::rate_limited)
        return outcome(theirs.reason, theirs.message);
    Outcome copy =
        outcome(reason::instance_not_ready, "OmniInstance " + instance_->meta.key.str() + " is " +
                                                theirs.reason + ": " + theirs.message);
    copy.readiness =
        theirs.readiness == Readiness::ready ? Readiness::progressing : theirs.readiness;
    copy.transient = theirs.reason == reason::progressing;
    return copy;
}

Reconciliation::Step Reconciliation::find_target() {
    auto url = parse_base_url(instance_->base_url);
    if (!url)
        return outcome(reason::host_not_allowed, url.error().message);
    const std::string host = url->label();
    if (!object_->connection_id.empty()) {
        status_.connection_id = object_->connection_id;
    } else {
        const std::string pin = object_->instance.str() + " " + object_->connection_name;
        // After a restart the status's id is for the spec that it observed.
        if (state_.pinned.empty() && state_.generation == object_->meta.generation)
            state_.pinned = pin;
        if (status_.applied.target.host != host || state_.pinned != pin ||
            status_.connection_id.empty())
            if (auto end = resolve_name())
                return end;
        state_.pinned = pin;
    }
    const std::string& id = status_.connection_id;
    target_ = {.host = host, .connection_id = id};
    if (instance_->allowed_connections && !instance_->allowed_connections->contains(id))
        return outcome(reason::connection_not_allowed,
                       "OmniInstance " + instance_->meta.key.str() +
                           " does not allow this connection (spec.allowedConnections)");
    if (status_.applied.target != target_) {
        status_.dialect.clear();
        status_.rejected.reset();
        state_.unknown.clear();
        state_.in_doubt.clear();
        state_.settling.clear();
        state_.drift = {};
        state_.refusals = {};
        state_.not_found_at.reset();
        state_.key_refused_at.reset();
        status_.applied = {.target = target_};
    }
    owner_.adopt_orphans(target_, state_);
    return std::nullopt;
}

void Reconciliation::find_holdings() {
    owner_.hooks_.claim(*object_, target_); // a name may have been resolved just now
    for (const Field field : managed_fields(*object_)) {
        const auto holder = owner_.caches_.ownership.holder(target_, field);
        if (!holder || *holder == object_->meta.key) {
            held_.insert(field);
            continue;
        }
        const std::string other = holder->ns == object_->meta.key.ns
                                      ? "OmniConnection " + holder->name
                                      : "an older OmniConnection of another namespace";
        problems_.push_back(outcome(reason::connection_conflict,
                                    other + " manages " + std::string(omni::name(field)) +
                                        " of the same connection; delete one of the two, or take "
                                        "the field out of one"));
    }
}

// --- whether now -----------------------------------------------------------------------------

std::string Reconciliation::retry_key() const {
    std::string text = std::to_string(object_->meta.generation) + object_->reconcile_requested_at +
                       object_->force_requested_at + instance_state_->client_identity;
    for (const auto& [field, digest] : digests_)
        text += digest;
    return fingerprint(text, 16);
}

Reconciliation::Step Reconciliation::check_patience() {
    const auto now = services_.runtime.now();
    const std::string signature = retry_key();
    const bool unchanged = state_.retry_key.empty() || state_.retry_key == signature;
    state_.retry_key = signature;
    if (!unchanged) {
        state_.failures = 0;
        state_.next_attempt.reset();
        state_.key_refused_at.reset();
    }
    if (state_.key_refused_at) {
        if (!(instance_state_->accepted_at >= state_.key_refused_at))
            return transient("Omni refused; the key is being checked");
        state_.failure = outcome(reason::forbidden,
                                 "the key is good, but may not change this connection; give it "
                                 "Connection Admin there. " +
                                     state_.key_refused_message);
        state_.next_attempt = *state_.key_refused_at + forbidden_probe_interval;
        state_.key_refused_at.reset();
    }
    // While the breaker is open, the one that tries next is the one the scheduler picks.
    const bool probes = instance_state_->client->account->scheduler.breaker_open() &&
                        readiness_of(state_.failure.reason) == Readiness::failing;
    if (!state_.next_attempt || now >= *state_.next_attempt || probes)
        return std::nullopt;
    Outcome waiting =
        state_.failure.reason.empty()
            ? outcome(reason::progressing, "an attempt failed before; waiting to retry")
            : state_.failure;
    waiting.requeue_at = state_.next_attempt;
    return waiting;
}

Outcome Reconciliation::conclude() {
    Outcome result = problems_.empty()
                         ? in_step()
                         // What a person must change is told before what heals by itself.
                         : *std::ranges::max_element(problems_, {}, [](const Outcome& problem) {
                               return static_cast<int>(problem.readiness);
                           });
    const auto look_again = [&](std::optional<rt::TimePoint> when) {
        if (when)
            result.requeue_at = std::min(result.requeue_at.value_or(*when), *when);
    };
    for (const auto& [field, settling] : state_.settling)
        look_again(settling.due);
    if (!object_->suspend && !instance_->suspend)
        look_again(next_drift_check());
    look_again(next_repush());
    return result;
}

void Reconciliation::nothing_waits() {
    state_.pending_since.reset();
    state_.told.clear();
    state_.failures = 0;
    state_.next_attempt.reset();
}

Outcome Reconciliation::in_step() {
    nothing_waits();
    if (!state_.settling.empty())
        return outcome(reason::progressing, "sent; it is sent once more, since an earlier attempt "
                                            "went unanswered and may still arrive");
    if (object_->suspend)
        return outcome(reason::suspended, "spec.suspend is true; nothing waits to be sent");
    if (auto end = check_request())
        return *end;
    return outcome(reason::synced,
                   state_.drift.given_up()
                       ? "Omni accepted what the spec and the Secret say, but tells another value "
                         "of a setting each time it was set right; it is left alone"
                       : "Omni holds what the spec and the Secret say");
}

std::optional<rt::TimePoint> Reconciliation::next_repush() const {
    if (!object_->credential || object_->credential->repush_interval.count() == 0 ||
        !status_.applied.credential)
        return std::nullopt;
    const auto wall_now = services_.runtime.wall_now();
    const auto pushed = parse_rfc3339(status_.applied.credential->pushed_at);
    const auto due = pushed.value_or(wall_now) + object_->credential->repush_interval;
    const rt::Duration left = due - wall_now;
    return services_.runtime.now() + (left > rt::Duration::zero() ? left : overdue_repush_interval);
}

} // namespace oco::reconcile
