#include "reconcile/connection/targets.hpp"

#include "base/digest.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {
namespace {

// In one annotation; where there are more, it may be anywhere.
constexpr std::size_t most_marks = 64;

std::string mark_of(const Target& target) {
    constexpr std::size_t characters = 16;
    return fingerprint(target.host + ' ' + target.connection_id, characters);
}

} // namespace

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

bool TargetState::was_sent_to() const {
    return std::ranges::any_of(fields_, [](const FieldState& field) { return field.was_sent(); });
}

bool TargetState::forgettable(rt::TimePoint now) const {
    return std::ranges::all_of(fields_,
                               [&](const FieldState& field) { return field.forgettable(now); });
}

TargetState& Targets::at(const Target& target) {
    const auto [entry, added] = states_.try_emplace(target);
    if (added && suspects(target))
        for (const omni::Field field : all_fields)
            entry->second[field].suspect_until(suspect_until_);
    return entry->second;
}

bool Targets::suspects(const Target& target) const {
    return !suspected_.empty() &&
           (suspected_.contains(std::string(everywhere)) || suspected_.contains(mark_of(target)));
}

void Targets::suspect_until(rt::TimePoint until, std::string_view where) {
    suspect_until_ = until;
    suspected_.clear();
    while (!where.empty()) {
        const auto end = std::min(where.find(' '), where.size());
        suspected_.emplace(where.substr(0, end));
        where.remove_prefix(std::min(end + 1, where.size()));
    }
    for (auto& [target, state] : states_)
        if (suspects(target))
            for (const omni::Field field : all_fields)
                state[field].suspect_until(until);
}

std::string Targets::unsettled(rt::TimePoint now) const {
    auto where = now < suspect_until_ ? suspected_ : std::set<std::string>();
    for (const auto& [target, state] : states_)
        if (!std::ranges::all_of(all_fields,
                                 [&](omni::Field field) { return state[field].settled(now); }))
            where.insert(mark_of(target));
    const bool many = where.size() > most_marks || where.contains(std::string(everywhere));
    std::string line;
    for (const auto& mark : where)
        line += (line.empty() ? "" : " ") + mark;
    return many ? std::string(everywhere) : line;
}

TargetState* Targets::find(const Target& target) {
    const auto it = states_.find(target);
    return it == states_.end() ? nullptr : &it->second;
}

const TargetState* Targets::find(const Target& target) const {
    const auto it = states_.find(target);
    return it == states_.end() ? nullptr : &it->second;
}

bool Targets::may_have_been_sent_to(const Target& target) const {
    const auto* state = find(target);
    return forgot_one_sent_to_ || (state != nullptr && state->was_sent_to());
}

void Targets::sweep(const std::set<Target>& kept, rt::TimePoint now) {
    std::erase_if(states_, [&](const auto& entry) {
        const bool forgotten = !kept.contains(entry.first) && !under_way_.contains(entry.first) &&
                               entry.second.forgettable(now);
        forgot_one_sent_to_ |= forgotten && entry.second.was_sent_to();
        return forgotten;
    });
}

std::set<ObjectKey> Targets::leave(const Target& target) {
    auto entry = under_way_.extract(target);
    return entry.empty() ? std::set<ObjectKey>() : std::move(entry.mapped());
}

} // namespace oco::reconcile
