// Whether all has come right, long after the last change: every object is Ready, or has the reason
// that it deserves.
#pragma once

#include "holders.hpp"

#include <set>
#include <string>
#include <vector>

namespace oco::sim {

class Convergence {
  public:
    Convergence(const Truth& truth, const Organizations& orgs)
        : truth_(truth), orgs_(orgs), holders_(truth, orgs) {}

    // What is not as it should be. What Omni lacks begins with "lost:".
    [[nodiscard]] std::vector<std::string> unfinished() const;

  private:
    // Reasons of Ready that an object may have.
    using Reasons = std::set<std::string>;

    [[nodiscard]] Reasons deserved(const ObjectFacts& object) const;
    [[nodiscard]] Reasons deserved_there(const ObjectFacts& object, const InstanceFacts& instance,
                                         const ApiKey& key, const Target& target) const;
    [[nodiscard]] Reasons deserved_unresolved(const ObjectFacts& object,
                                              const InstanceFacts& instance,
                                              const ApiKey& key) const;
    [[nodiscard]] bool can_send(const ObjectFacts& object) const;
    [[nodiscard]] bool in_omni(const ObjectFacts& object, const Target& target, Field field) const;
    void check_values(const ObjectFacts& object, std::vector<std::string>& out) const;

    const Truth& truth_;
    const Organizations& orgs_;
    Holders holders_;
};

} // namespace oco::sim
