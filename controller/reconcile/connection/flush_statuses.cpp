// The end of the process: what the statuses do not say yet is written, so that the next one knows.
#include "base/log.hpp"
#include "reconcile/connection/connection_reconciler.hpp"

namespace oco::reconcile {
namespace {

// Writes at a time; as many as the client keeps connections.
constexpr int recorders = 8;

} // namespace

// A PATCH of the object was cut: nobody will know what became of it.
void ConnectionReconciler::note_cut(const api::OmniConnection& object, ConnectionState& state) {
    const auto now = services_.runtime.now();
    TargetState& fields = targets_.at(state.target);
    bool cut = false;
    for (const omni::Field field : all_fields)
        if (fields[field].sent_by(state.uid)) {
            fields[field].cut(now);
            cut = true;
        }
    describe_fields(object, state, state.status);
    if (!cut)
        return;
    state.status.observed_generation = object.meta.generation;
    kube::set_conditions(
        state.status.conditions,
        conditions_of(
            outcome(reason::progressing, "sent; the operator was stopped before Omni responded"),
            object.meta.generation),
        services_.runtime.wall_now());
}

asio::awaitable<bool> ConnectionReconciler::flush_statuses(rt::Duration limit) {
    const auto now = services_.runtime.now();
    std::vector<ObjectKey> later;
    std::vector<ObjectKey> first; // taken from the end: what is in doubt goes first
    for (const auto& [key, state] : states_) {
        const auto object = newest(key, *state);
        if (!object || state->target.empty())
            continue;
        note_cut(*object, *state);
        if (state->schedule.due(fingerprints_of(state->status), now))
            (state->status.unanswered.empty() ? later : first).push_back(key);
    }
    bool all_recorded = true;
    later.insert(later.end(), first.begin(), first.end());
    rt::TaskGroup writers(services_.runtime);
    for (int i = 0; i < recorders; ++i)
        writers.spawn(record_one_by_one(later, now + limit, all_recorded));
    co_await writers.join();
    co_return all_recorded;
}

asio::awaitable<void> ConnectionReconciler::record_one_by_one(std::vector<ObjectKey>& keys,
                                                              rt::TimePoint deadline,
                                                              bool& all_written) {
    while (!keys.empty()) {
        const ObjectKey key = keys.back();
        keys.pop_back();
        const auto state = states_.at(key);
        const auto left = deadline - services_.runtime.now();
        const auto object = newest(key, *state);
        if (left <= rt::Duration::zero()) {
            all_written = false;
            co_return;
        }
        if (!object)
            continue;
        auto done = co_await writer_.write_now(object, state->schedule, state->status, left);
        const bool gone = !done && (done.error().kind == ErrorClass::not_found ||
                                    done.error().kind == ErrorClass::conflict);
        if (done || gone)
            continue;
        all_written = false;
        log::warn("status not written before shutdown",
                  {{"object", key.str()}, {"error", done.error().message}});
    }
}

} // namespace oco::reconcile
