// What a request to Omni is for, and with that its rights to the budget.
#pragma once

#include <array>
#include <cstddef>

namespace oco::work {

enum class Errand {
    rotation,         // a credential that Omni holds an older value of
    lookup,           // a read that something waits for
    new_object,       // the first push for an object that brings a credential
    settings,         // changed settings, without a credential
    drift_list,       // a read to see what others have changed
    drift_correction, // and what is set right after it
};

inline constexpr std::size_t errands = 6;

struct ErrandTraits {
    int order; // lower goes first; of the same order, who waited longer
    bool
        paced; // one after the other, evenly over a minute; else as many at once as there are slots
    bool reserve; // leaves a tenth of the slots to rotations
    bool push;    // a PATCH, which an open circuit breaker holds back
};

constexpr ErrandTraits traits(Errand errand) {
    constexpr std::array<ErrandTraits, errands> table{{
        {.order = 0, .paced = false, .reserve = false, .push = true},
        {.order = 1, .paced = true, .reserve = true, .push = false},
        {.order = 2, .paced = false, .reserve = true, .push = true},
        {.order = 2, .paced = true, .reserve = true, .push = true},
        {.order = 3, .paced = true, .reserve = true, .push = false},
        {.order = 3, .paced = true, .reserve = true, .push = true},
    }};
    return table.at(static_cast<std::size_t>(errand));
}

} // namespace oco::work
