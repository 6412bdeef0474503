#include "reconcile/cluster/ownership.hpp"

namespace oco::reconcile {

std::set<omni::Field> managed_fields(const api::OmniConnection& object) {
    std::set<omni::Field> fields;
    if (object.credential)
        fields.insert(omni::Field::credential);
    if (object.base_role)
        fields.insert(omni::Field::base_role);
    if (object.environment_user_attribute)
        fields.insert(omni::Field::environment_user_attribute);
    return fields;
}

std::vector<ObjectKey> Ownership::set(const ObjectKey& key, Claim claim) {
    std::set<ObjectKey> touched;
    const auto touch = [&](const Target& target) {
        for (auto& other : claimants(target))
            touched.insert(std::move(other));
    };
    if (const auto known = by_object_.find(key); known != by_object_.end()) {
        if (known->second == claim)
            return {};
        const Claim old = std::move(known->second);
        by_object_.erase(known);
        auto& orders = by_target_[old.target];
        orders.erase({old.created, key});
        touch(old.target);
        if (orders.empty())
            by_target_.erase(old.target);
    }
    if (!claim.target.empty()) {
        touch(claim.target);
        by_target_[claim.target].emplace(Order(claim.created, key), claim.fields);
        by_object_.emplace(key, std::move(claim));
    }
    touched.erase(key);
    return {touched.begin(), touched.end()};
}

std::optional<ObjectKey> Ownership::holder(const Target& target, omni::Field field) const {
    const auto orders = by_target_.find(target);
    if (orders == by_target_.end())
        return std::nullopt;
    for (const auto& [order, fields] : orders->second)
        if (fields.contains(field))
            return order.second;
    return std::nullopt;
}

std::vector<ObjectKey> Ownership::claimants(const Target& target) const {
    std::vector<ObjectKey> out;
    if (const auto orders = by_target_.find(target); orders != by_target_.end())
        for (const auto& [order, fields] : orders->second)
            out.push_back(order.second);
    return out;
}

} // namespace oco::reconcile
