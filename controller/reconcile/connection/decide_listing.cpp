// What the list of Omni's connections shows of this one: whether it is still there, its dialect,
// and what others have changed.
#include "base/text.hpp"
#include "reconcile/connection/decider.hpp"

#include <utility>

namespace oco::reconcile {
namespace {

using omni::Field;

constexpr std::size_t max_dialect_bytes = 128; // as the CRD has it

} // namespace

void Decider::want_list(ListRequest request) {
    auto& wanted = decision_.list;
    if (wanted) {
        request.since = std::max(request.since, wanted->since);
        request.request_class = std::min(request.request_class, wanted->request_class);
    }
    wanted = request;
}

// Waits for a list that is read from now on; ends with ConnectionNotFound once one came.
std::optional<Action> Decider::look_up_connection() {
    const auto& asked_at = seen_.view->directory->asked_at;
    if (!state_.lookup_since)
        state_.lookup_since = seen_.now;
    if (!asked_at || *asked_at < *state_.lookup_since) {
        want_list({.since = *state_.lookup_since});
        return finish(await_list(seen_, "the list of connections is being read"));
    }
    const std::string what =
        seen_.object->connection_name.empty() ? "spec.connectionID" : "spec.connectionName";
    std::optional<ListRequest> list;
    Outcome gone = until_listed_otherwise(
        seen_, list,
        outcome(reason::connection_not_found,
                "Omni has no connection with this " + what +
                    ", or the API key may not see it; correct it, or create the connection"));
    if (list)
        want_list(*list);
    return finish(std::move(gone));
}

std::optional<Action> Decider::check_listing() {
    const Directory& directory = *seen_.view->directory;
    const bool known = directory.find(state_.target.connection_id) != nullptr;
    const auto* present = directory.find_present(state_.target.connection_id);
    if (present != nullptr)
        state_.status.dialect = printable(present->dialect, max_dialect_bytes);
    if (state_.not_found_at && !directory.refused) {
        const bool back = present != nullptr && directory.asked_at > state_.not_found_at;
        if (!back)
            return look_up_connection();
    }
    state_.not_found_at.reset();
    if (present != nullptr || directory.refused) {
        state_.lookup_since.reset();
        return std::nullopt;
    }
    const bool dialect_needed =
        pending().contains(Field::credential) && state_.status.dialect.empty();
    // Otherwise Omni's answer to the PATCH says more than the list.
    return known || pending().empty() || dialect_needed ? look_up_connection() : std::nullopt;
}

// No dialect at all: Omni told none, or may not be asked, and nothing can be checked.
void Decider::check_dialect() {
    if (!pending().contains(Field::credential))
        return;
    const auto fits = omni::matches_dialect(seen_.object->credential->kind, state_.status.dialect);
    if (!fits)
        give_up_credential(outcome(reason::credential_kind_mismatch, fits.error().message));
}

// --- drift -----------------------------------------------------------------------------------

// Settings that others have changed in Omni become pending.
void Decider::judge_drift() {
    const bool wanted = seen_.object->drift_check_interval.count() > 0 || state_.requested_at;
    const auto* info = seen_.view->directory->find_present(state_.target.connection_id);
    if (!wanted || info == nullptr)
        return;
    if (held_.contains(Field::base_role))
        judge_drift_of(Field::base_role,
                       info->base_role &&
                           !omni::same_role(*info->base_role, *seen_.object->base_role));
    if (held_.contains(Field::environment_user_attribute))
        judge_drift_of(Field::environment_user_attribute,
                       !omni::same_environment(*info, *seen_.object->environment_user_attribute));
}

void Decider::judge_drift_of(Field field, bool differs) {
    if (pending().contains(field) || fields_[field].applied_by(seen_.object->meta.uid) == nullptr)
        return; // it is sent in any case
    const auto judged = state_.drift.judge(field, differs, *seen_.view->directory->asked_at);
    if (judged.finding == Drift::Finding::differs)
        pending().insert(field);
    if (judged.news && differs)
        decision_.drift.push_back(
            {.field = field, .given_up = judged.finding == Drift::Finding::given_up});
}

// When this object's settings are due to be compared with Omni's again; and wants that, if it is.
std::optional<rt::TimePoint> Decider::next_drift_check() {
    const bool has_settings =
        held_.contains(Field::base_role) || held_.contains(Field::environment_user_attribute);
    if (seen_.object->drift_check_interval.count() == 0 || !has_settings)
        return std::nullopt;
    const auto& asked_at = seen_.view->directory->asked_at;
    const auto due = asked_at.value_or(seen_.now) + seen_.object->drift_check_interval;
    if (due > seen_.now)
        return due;
    want_list({.since = due, .request_class = work::RequestClass::drift_list});
    return std::nullopt; // the list wakes
}

// Rights are given in Omni, and nothing tells of it: a list that was refused is tried now and then.
std::optional<rt::TimePoint> Decider::next_rights_check() {
    const Directory& directory = *seen_.view->directory;
    if (!directory.refused)
        return std::nullopt;
    const auto due = directory.asked_at.value_or(seen_.now) + slow_probe_interval;
    if (due > seen_.now)
        return due;
    want_list({.since = due, .request_class = work::RequestClass::drift_list});
    return std::nullopt; // the list wakes
}

// Somebody asked for a reconcile: that includes a list which is read from then on.
std::optional<Outcome> Decider::check_request() {
    const Directory& directory = *seen_.view->directory;
    if (!state_.requested_at)
        return std::nullopt;
    if (!seen_.view->usable || directory.refused || directory.asked_at >= state_.requested_at) {
        state_.requested_at.reset();
        return std::nullopt;
    }
    Outcome wait = await_list(seen_, "the list of connections is being read, as requested");
    const auto may_list_at = state_.list_for_request_at.value_or(seen_.now) + request_interval;
    if (state_.list_for_request_at == state_.requested_at) {
        want_list({.since = *state_.requested_at});
    } else if (seen_.now < may_list_at) {
        wait.requeue_at = may_list_at;
    } else {
        state_.list_for_request_at = state_.requested_at = seen_.now;
        want_list({.since = seen_.now});
    }
    return wait;
}

} // namespace oco::reconcile
