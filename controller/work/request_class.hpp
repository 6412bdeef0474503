// What a request to Omni is for, and how it may therefore use the budget.
#pragma once

#include <array>
#include <cstddef>

namespace oco::work {

enum class RequestClass {
    rotation,         // a credential of which Omni holds an older value
    rotation_retry,   // the same, of a connection whose pushes fail by themselves
    lookup,           // a read that something waits for
    new_object,       // the first push for an object that brings a credential
    settings,         // changed settings, or a credential that Omni has already
    drift_list,       // a read to see what others have changed, at the interval or on request
    drift_correction, // and what is corrected after it
};

inline constexpr std::size_t request_classes = 7;

struct RequestClassTraits {
    int order;    // lower goes first; within the same order, what has waited longer
    bool paced;   // spread evenly over a minute; otherwise as many at once as there are slots
    bool reserve; // leaves a tenth of the slots to rotations
    bool push;    // a PATCH, which an open circuit breaker holds back
};

constexpr RequestClassTraits traits(RequestClass request_class) {
    constexpr std::array<RequestClassTraits, request_classes> table{{
        {.order = 0, .paced = false, .reserve = false, .push = true},
        {.order = 0, .paced = false, .reserve = true, .push = true},
        {.order = 1, .paced = true, .reserve = true, .push = false},
        {.order = 2, .paced = false, .reserve = true, .push = true},
        {.order = 2, .paced = true, .reserve = true, .push = true},
        {.order = 3, .paced = true, .reserve = true, .push = false},
        {.order = 3, .paced = true, .reserve = true, .push = true},
    }};
    return table.at(static_cast<std::size_t>(request_class));
}

} // namespace oco::work
