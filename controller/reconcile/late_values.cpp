#include "reconcile/late_values.hpp"

#include <algorithm>

namespace oco::reconcile {

bool LateValues::contest(omni::Field field, const std::string& digest, rt::TimePoint now) const {
    const auto known = late_.find(field);
    return known != late_.end() && std::ranges::any_of(known->second, [&](const auto& value) {
               return value.first != digest && value.second > now;
           });
}

FieldSet LateValues::fields(rt::TimePoint now) const {
    FieldSet out;
    for (const auto& [field, values] : late_)
        if (std::ranges::any_of(values, [&](const auto& value) { return value.second > now; }))
            out.insert(field);
    return out;
}

std::optional<rt::TimePoint> LateValues::next_change(rt::TimePoint now) const {
    std::optional<rt::TimePoint> next;
    for (const auto& [field, values] : late_) {
        rt::TimePoint last{};
        for (const auto& [digest, until] : values)
            last = std::max(last, until);
        if (last > now)
            next = std::min(next.value_or(last), last);
    }
    return next;
}

} // namespace oco::reconcile
