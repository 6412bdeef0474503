#include "reconcile/connection/targets.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {

FieldSet TargetState::applied_by(const std::string& uid) const {
    FieldSet out;
    for (const omni::Field field : all_fields)
        if ((*this)[field].applied_by(uid) != nullptr)
            out.insert(field);
    return out;
}

void TargetState::release_all_but(const FieldSet& held, const std::string& uid) {
    for (const omni::Field field : all_fields)
        if (!held.contains(field))
            (*this)[field].release(uid);
}

bool TargetState::forgettable(rt::TimePoint now) const {
    return std::ranges::all_of(fields_,
                               [&](const FieldState& field) { return field.forgettable(now); });
}

TargetState& Targets::at(const Target& target) {
    const auto [entry, added] = states_.try_emplace(target);
    if (added)
        for (const omni::Field field : all_fields)
            entry->second[field].suspect_until(suspect_until_);
    return entry->second;
}

void Targets::suspect_all_until(rt::TimePoint until) {
    suspect_until_ = until;
    for (auto& [target, state] : states_)
        for (const omni::Field field : all_fields)
            state[field].suspect_until(until);
}

TargetState* Targets::find(const Target& target) {
    const auto it = states_.find(target);
    return it == states_.end() ? nullptr : &it->second;
}

const TargetState* Targets::find(const Target& target) const {
    const auto it = states_.find(target);
    return it == states_.end() ? nullptr : &it->second;
}

bool Targets::settled(rt::TimePoint now) const {
    return now >= suspect_until_ && std::ranges::all_of(states_, [&](const auto& entry) {
               return std::ranges::all_of(
                   all_fields, [&](omni::Field field) { return entry.second[field].settled(now); });
           });
}

void Targets::sweep(const std::set<Target>& kept, rt::TimePoint now) {
    std::erase_if(states_, [&](const auto& entry) {
        return !kept.contains(entry.first) && !under_way_.contains(entry.first) &&
               entry.second.forgettable(now);
    });
}

std::set<ObjectKey> Targets::leave(const Target& target) {
    auto entry = under_way_.extract(target);
    return entry.empty() ? std::set<ObjectKey>() : std::move(entry.mapped());
}

} // namespace oco::reconcile
