#include "sweep.hpp"

#include "marks.hpp"

namespace oco::sim {
namespace {

constexpr rt::Duration long_for_a_list = std::chrono::seconds(4);

bool have_common_field(const ObjectFacts& one, const ObjectFacts& other) {
    for (const Field field : all_fields)
        if (one.manages[place(field)] && other.manages[place(field)])
            return true;
    return false;
}

} // namespace

void Sweep::look() {
    for (const auto& [name, history] : truth_.objects) {
        const auto* object = newest(history);
        const auto target = object == nullptr ? std::nullopt : holders_.target(*object);
        for (const Field field : all_fields) {
            const std::pair key{name, field};
            const bool holds =
                target && object->manages[place(field)] && holders_.holder(*target, field) == name;
            const bool before = std::exchange(holds_[key], holds);
            if (before && !holds)
                coverage_.met(Met::claim_lost);
            if (!before && holds && !held_.insert(key).second)
                coverage_.met(Met::claim_regained);
        }
        if (target)
            compare(*object);
    }
}

void Sweep::compare(const ObjectFacts& object) {
    const auto target = holders_.target(object);
    for (const auto& [name, history] : truth_.objects) {
        const auto* other = newest(history);
        if (other == nullptr || name <= object.key || holders_.target(*other) != target)
            continue;
        if (!have_common_field(object, *other))
            coverage_.met(Met::shared_connection);
        for (const Field field : all_fields) {
            if (!object.manages[place(field)] || !other->manages[place(field)])
                continue;
            const auto holder = holders_.holder(*target, field);
            const auto& winner = holder == name ? *other : object;
            if (holder && winner.suspended)
                coverage_.met(Met::suspended_holder);
            const bool older = object.older_than(*other);
            compare_claims(older ? object : *other, older ? *other : object);
        }
    }
}

// How the contract decides between two that claim the same field.
void Sweep::compare_claims(const ObjectFacts& older, const ObjectFacts& younger) {
    using Rank = Holders::Rank;
    if (!holders_.claims(older) || !holders_.claims(younger))
        return;
    const Rank first = holders_.rank(older);
    const Rank second = holders_.rank(younger);
    if (first == second && first == Rank::proved)
        coverage_.met(Met::held_by_age);
    if (first == Rank::none && second != Rank::none)
        coverage_.met(Met::held_by_proof);
    if (first == Rank::behind && second == Rank::proved)
        coverage_.met(Met::held_before_who_may_not_read);
}

void Sweep::stored(const OmniModel::Arrival& arrival, const Organization& org,
                   const std::string& leader, const std::vector<ManagedObject>& objects) {
    const Push push = push_of(arrival.request);
    if (!arrival.late || push.value.empty())
        return;
    coverage_.met(Met::late_value);
    if (arrival.client != leader)
        coverage_.met(Met::late_after_death);
    const auto sender = sender_of(push);
    const auto* object = sender ? &objects.at(static_cast<std::size_t>(*sender)) : nullptr;
    const auto* facts = object == nullptr ? nullptr : truth_.object(object->key);
    const auto target = facts == nullptr ? std::nullopt : holders_.target(*facts);
    if (target != Target{org.host(), push.connection_id})
        coverage_.met(Met::late_after_retarget);
    if (const auto* last = org.last_stored(push.connection_id, Field::credential)) {
        Push before;
        before.value = last->value;
        if (sender_of(before) != sender && last->when > arrival.time)
            coverage_.met(Met::late_after_other);
    }
}

void Sweep::delivered(const OmniModel::Arrival& arrival, const Organization& org,
                      const OmniViews& views, const std::vector<ManagedObject>& objects,
                      rt::Duration took) {
    const KeyView& view = views.of(arrival.client, org.host(), arrival.token());
    if (arrival.status == 401)
        coverage_.met(Met::key_refused);
    if (arrival.status == 200 && view.was_refused())
        coverage_.met(Met::key_good_again);
    if (arrival.lists()) {
        if (took > long_for_a_list)
            coverage_.met(Met::slow_list);
        if (arrival.status == 403)
            coverage_.met(Met::key_may_not_list);
        for (const auto& object : objects)
            if (arrival.shown && object.there && org.lives(object.connection_id) &&
                !arrival.shown->contains(object.connection_id))
                coverage_.met(Met::key_does_not_show);
    }
    if (arrival.request.method != "PATCH" || arrival.status != 404)
        return;
    const auto sender = sender_of(push_of(arrival.request));
    if (sender && !objects.at(static_cast<std::size_t>(*sender)).connection_name.empty())
        coverage_.met(Met::name_not_found);
}

void Sweep::status_written(const Name& name) {
    const auto& history = history_of(truth_.statuses, name);
    const auto* object = truth_.object(name);
    if (history.size() < 2 || object == nullptr || object->connection_name.empty())
        return;
    const auto* now = history.back().value.get();
    const auto* before = history[history.size() - 2].value.get();
    const bool resolved_again = now != nullptr && before != nullptr && now->uid == before->uid &&
                                now->observed_generation == before->observed_generation &&
                                !now->connection_id.empty() &&
                                now->connection_id != before->connection_id;
    if (resolved_again)
        coverage_.met(Met::name_resolved_again);
}

} // namespace oco::sim
