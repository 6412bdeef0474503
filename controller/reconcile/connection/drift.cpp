#include "reconcile/connection/drift.hpp"

#include <algorithm>

namespace oco::reconcile {

Drift::Judgement Drift::judge(omni::Field field, bool differs, rt::TimePoint asked_at) {
    State& state = states_[field];
    if (asked_at <= state.pushed_at)
        return {};
    if (asked_at == state.judged)
        return {.finding = state.finding};
    state.judged = asked_at;
    if (!differs)
        state.corrections = 0;
    state.finding = !differs                               ? Finding::in_step
                    : state.corrections < most_corrections ? Finding::differs
                                                           : Finding::given_up;
    return {.finding = state.finding, .news = true};
}

void Drift::pushed(omni::Field field, rt::TimePoint now) {
    State& state = states_[field];
    if (state.finding == Finding::differs)
        ++state.corrections;
    state.finding = Finding::unknown;
    state.pushed_at = now;
}

bool Drift::corrects(omni::Field field) const {
    const auto known = states_.find(field);
    return known != states_.end() && known->second.finding == Finding::differs;
}

bool Drift::given_up() const {
    return std::ranges::any_of(
        states_, [](const auto& entry) { return entry.second.finding == Finding::given_up; });
}

void Drift::begin_again() {
    for (auto& [field, state] : states_)
        state = {.pushed_at = state.pushed_at};
}

} // namespace oco::reconcile
