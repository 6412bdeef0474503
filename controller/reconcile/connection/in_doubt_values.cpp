#include "reconcile/connection/in_doubt_values.hpp"

#include <algorithm>

namespace oco::reconcile {

bool InDoubtValues::may_be_overwritten(omni::Field field, const std::string& digest,
                                       rt::TimePoint now) const {
    const auto known = in_doubt_.find(field);
    return known != in_doubt_.end() && std::ranges::any_of(known->second, [&](const auto& value) {
               return value.first != digest && value.second > now;
           });
}

FieldSet InDoubtValues::fields(rt::TimePoint now) const {
    FieldSet out;
    for (const auto& [field, values] : in_doubt_)
        if (std::ranges::any_of(values, [&](const auto& value) { return value.second > now; }))
            out.insert(field);
    return out;
}

std::optional<rt::TimePoint> InDoubtValues::next_change(rt::TimePoint now) const {
    std::optional<rt::TimePoint> next;
    for (const auto& [field, values] : in_doubt_) {
        rt::TimePoint last{};
        for (const auto& [digest, until] : values)
            last = std::max(last, until);
        if (last > now)
            next = std::min(next.value_or(last), last);
    }
    return next;
}

} // namespace oco::reconcile
