// From what changed to the objects that use it.
#pragma once

#include "kube/object.hpp"

#include <set>
#include <unordered_map>

namespace oco::reconcile {

using kube::ObjectKey;

// Edges from users to what they use, looked up in reverse.
class Index {
  public:
    // Replaces what `user` uses.
    void set(const ObjectKey& user, std::set<ObjectKey> used) {
        erase(user);
        for (const auto& key : used)
            users_[key].insert(user);
        used_.emplace(user, std::move(used));
    }

    void erase(const ObjectKey& user) {
        const auto known = used_.find(user);
        if (known == used_.end())
            return;
        for (const auto& key : known->second)
            if (const auto it = users_.find(key); it != users_.end()) {
                it->second.erase(user);
                if (it->second.empty())
                    users_.erase(it);
            }
        used_.erase(known);
    }

    [[nodiscard]] const std::set<ObjectKey>& users_of(const ObjectKey& key) const {
        static const std::set<ObjectKey> none;
        const auto it = users_.find(key);
        return it == users_.end() ? none : it->second;
    }

    [[nodiscard]] const std::set<ObjectKey>& used_by(const ObjectKey& user) const {
        static const std::set<ObjectKey> none;
        const auto it = used_.find(user);
        return it == used_.end() ? none : it->second;
    }

    [[nodiscard]] bool used(const ObjectKey& key) const { return users_.contains(key); }

  private:
    std::unordered_map<ObjectKey, std::set<ObjectKey>> users_;
    std::unordered_map<ObjectKey, std::set<ObjectKey>> used_;
};

} // namespace oco::reconcile
