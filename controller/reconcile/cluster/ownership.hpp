// Which object may write which field of which Omni connection: the oldest that names it.
#pragma once

#include "api/omni_connection.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace oco::reconcile {

using api::Target;
using kube::ObjectKey;

struct Claim {
    Target target;
    WallTime created{};
    std::set<omni::Field> fields;

    bool operator==(const Claim&) const = default;
};

// The fields that an object manages.
std::set<omni::Field> managed_fields(const api::OmniConnection& object);

class Ownership {
  public:
    // Replaces what `key` claimed; an empty target claims nothing. Yields the other objects that
    // claim on the old and the new target, whose holdings may have changed.
    std::vector<ObjectKey> set(const ObjectKey& key, Claim claim);

    std::vector<ObjectKey> erase(const ObjectKey& key) { return set(key, {}); }

    // The holder of a field; nullopt when nobody claims it.
    [[nodiscard]] std::optional<ObjectKey> holder(const Target& target, omni::Field field) const;
    // The objects that claim anything of it.
    [[nodiscard]] std::vector<ObjectKey> claimants(const Target& target) const;

  private:
    // Oldest first; then by namespace and name.
    using Order = std::pair<WallTime, ObjectKey>;
    std::map<ObjectKey, Claim> by_object_;
    std::map<Target, std::map<Order, std::set<omni::Field>>> by_target_;
};

} // namespace oco::reconcile
