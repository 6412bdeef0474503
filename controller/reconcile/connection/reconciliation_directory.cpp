// What the list of Omni's connections tells a Reconciliation: which connection a name means,
// whether it is still there, its dialect, and what others have changed.
#include "base/text.hpp"
#include "reconcile/connection/reconciliation.hpp"

namespace oco::reconcile {
namespace {

using omni::Field;

constexpr std::size_t max_dialect_bytes = 128; // as the CRD has it
constexpr rt::Duration slow_probe_interval = std::chrono::minutes(10);
constexpr rt::Duration reread_patience = std::chrono::seconds(10);

std::string_view shown(Field field) {
    return field == Field::base_role ? "base role" : "environment user attribute";
}

} // namespace

// A name is looked up once, and pinned: what it means in Omni may change hands.
Reconciliation::Step Reconciliation::resolve_name() {
    const Directory& directory = *instance_state_->directory;
    if (directory.refused)
        return outcome(reason::forbidden, "the key may not list connections, so that "
                                          "spec.connectionName cannot be resolved; use "
                                          "spec.connectionID");
    std::vector<std::string> matches;
    for (const auto& [id, info] : directory.by_id) {
        const bool visible =
            !instance_->allowed_connections || instance_->allowed_connections->contains(id);
        if (!info.deleted && visible && info.name == object_->connection_name)
            matches.push_back(id);
    }
    if (matches.size() == 1) {
        status_.connection_id = matches.front();
        return std::nullopt;
    }
    status_.connection_id.clear();
    if (matches.size() > 1)
        return until_listed_otherwise(outcome(reason::connection_name_ambiguous,
                                              std::to_string(matches.size()) +
                                                  " connections have this spec.connectionName; "
                                                  "use spec.connectionID"));
    return look_up_connection();
}

void Reconciliation::request_list(rt::TimePoint since, work::RequestClass request_class) {
    owner_.instances_.request_list(instance_->meta.key,
                                   {.since = since, .request_class = request_class});
}

// Only another list can change the outcome: one is read now and then.
Outcome Reconciliation::until_listed_otherwise(Outcome outcome) {
    const auto now = services_.runtime.now();
    const auto next = instance_state_->directory->asked_at.value_or(now) + slow_probe_interval;
    if (now >= next)
        request_list(next, work::RequestClass::lookup);
    outcome.requeue_at = std::max(next, now + reread_patience);
    return outcome;
}

// Waits for a list that is read from now on; ends with ConnectionNotFound once one came.
Reconciliation::Step Reconciliation::look_up_connection() {
    if (!instance_state_->usable)
        return instance_not_ready();
    const auto now = services_.runtime.now();
    const auto& asked_at = instance_state_->directory->asked_at;
    if (!state_.lookup_since || !asked_at || *asked_at < *state_.lookup_since) {
        if (!state_.lookup_since) {
            state_.lookup_since = now;
            request_list(now, work::RequestClass::lookup);
        }
        return await_list("the list of connections is being read");
    }
    const std::string what =
        object_->connection_name.empty() ? "spec.connectionID" : "spec.connectionName";
    return until_listed_otherwise(
        outcome(reason::connection_not_found,
                "Omni has no connection with this " + what + " that the key may see"));
}

// A list is on its way, unless the instance says why not.
Outcome Reconciliation::await_list(std::string message) const {
    const Outcome& theirs = instance_state_->outcome;
    return theirs.readiness == Readiness::failing ? outcome(theirs.reason, theirs.message)
                                                  : transient(std::move(message));
}

// Whether the connection is there, by the list, and its dialect.
Reconciliation::Step Reconciliation::check_listing() {
    const Directory& directory = *instance_state_->directory;
    const auto listed = directory.by_id.find(target_.connection_id);
    const bool known = listed != directory.by_id.end();
    const bool present = known && !listed->second.deleted;
    if (present)
        status_.dialect = printable(listed->second.dialect, max_dialect_bytes);
    if (state_.not_found_at && !directory.refused) {
        const bool back = present && directory.asked_at > state_.not_found_at;
        if (!back)
            return look_up_connection();
    }
    state_.not_found_at.reset();
    if (present || directory.refused || !directory.asked_at) {
        state_.lookup_since.reset();
        return std::nullopt;
    }
    const bool dialect_needed = pending_.contains(Field::credential) && status_.dialect.empty();
    // Otherwise Omni's answer to the PATCH says more than the list.
    return known || pending_.empty() || dialect_needed ? look_up_connection() : Step();
}

// No dialect at all: Omni told none, or may not be asked, and nothing can be checked.
void Reconciliation::check_dialect() {
    if (!pending_.contains(Field::credential))
        return;
    if (auto fits = omni::matches_dialect(object_->credential->kind, status_.dialect); !fits) {
        problems_.push_back(outcome(reason::credential_kind_mismatch, fits.error().message));
        pending_.erase(Field::credential);
    }
}

// --- drift -----------------------------------------------------------------------------------

bool Reconciliation::has_settings() const {
    return held_.contains(Field::base_role) || held_.contains(Field::environment_user_attribute);
}

// Settings that others have changed in Omni become pending.
void Reconciliation::judge_drift() {
    const Directory& directory = *instance_state_->directory;
    const auto listed = directory.by_id.find(target_.connection_id);
    const bool wanted = object_->drift_check_interval.count() > 0 || state_.requested_at;
    if (!wanted || listed == directory.by_id.end() || listed->second.deleted)
        return;
    const omni::ConnectionInfo& told = listed->second;
    if (held_.contains(Field::base_role))
        judge_drift_of(Field::base_role,
                       told.base_role && !omni::same_role(*told.base_role, *object_->base_role));
    if (held_.contains(Field::environment_user_attribute))
        judge_drift_of(Field::environment_user_attribute,
                       !omni::same_environment(told, *object_->environment_user_attribute));
}

void Reconciliation::judge_drift_of(Field field, bool differs) {
    if (pending_.contains(field) || !holds(status_.applied, field))
        return; // it is sent in any case
    const auto judged = state_.drift.judge(field, differs, *instance_state_->directory->asked_at);
    if (judged.finding == Drift::Finding::differs)
        pending_.insert(field);
    if (!judged.news || !differs)
        return;
    services_.metrics.drift_detected(omni::name(field));
    if (judged.finding == Drift::Finding::given_up)
        owner_.writer_.record(object_->meta, kube::EventType::warning, "DriftCorrected", "Drift",
                              "the " + std::string(shown(field)) + " was set right " +
                                  std::to_string(Drift::most_corrections) +
                                  " times, and Omni tells another each time: it is left alone "
                                  "until the spec changes or a reconcile is requested");
}

// When this object's settings are due to be compared with Omni's again; and wants that, if it is.
std::optional<rt::TimePoint> Reconciliation::next_drift_check() {
    if (object_->drift_check_interval.count() == 0 || !has_settings())
        return std::nullopt;
    const auto now = services_.runtime.now();
    const auto& asked_at = instance_state_->directory->asked_at;
    const auto due = asked_at.value_or(now) + object_->drift_check_interval;
    if (due > now)
        return due;
    request_list(due, work::RequestClass::drift_list);
    return std::nullopt; // the list wakes
}

// Somebody asked for a reconcile: that includes a list which is read from then on.
Reconciliation::Step Reconciliation::check_request() {
    const Directory& directory = *instance_state_->directory;
    if (!state_.requested_at)
        return std::nullopt;
    if (!instance_state_->usable || directory.refused ||
        directory.asked_at >= state_.requested_at) {
        state_.requested_at.reset();
        return std::nullopt;
    }
    return await_list("the list of connections is being read, as requested");
}

} // namespace oco::reconcile
