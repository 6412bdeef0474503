// What an error of a PATCH means: for what Omni holds, for what is done next, and for the metrics.
// One table for all of them. Pure.
#pragma once

#include "base/error.hpp"
#include "reconcile/connection/field_state.hpp"

#include <string_view>

namespace oco::reconcile {

enum class NextStep {
    reject,    // never again unchanged
    ask_key,   // is the key good?
    look_up,   // is the connection there?
    wait_turn, // as if it had not been sent
    retry,     // after a while
};

struct AnswerMeaning {
    NextStep next = NextStep::retry;
    std::string_view reason; // of Ready
    std::string_view result; // in omni_pushes_total
    LandsLate late = LandsLate::no;
};

AnswerMeaning meaning_of(const Error& error);

} // namespace oco::reconcile
