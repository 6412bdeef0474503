// Who holds which field of which connection, by the contract, when all is known: from the specs,
// the statuses, and what Omni lets each key do. For quiet moments; claims_oracle.hpp judges the
// others.
#pragma once

#include "omni_orgs.hpp"
#include "truth.hpp"

#include <optional>
#include <string>

namespace oco::sim {

class Holders {
  public:
    Holders(const Truth& truth, const Organizations& orgs) : truth_(truth), orgs_(orgs) {}

    // In their order: a proved claim goes before one whose key may not read, and that before none.
    enum class Rank { proved, behind, none };

    // The connection that it means by its spec, or that its name was resolved to; nullopt: none, or
    // its OmniInstance is not there.
    [[nodiscard]] std::optional<Target> target(const ObjectFacts& object) const;
    // Whether it may claim what it means, by the specs alone.
    [[nodiscard]] bool claims(const ObjectFacts& object) const;
    // Its claim on what it means.
    [[nodiscard]] Rank rank(const ObjectFacts& object) const;
    // Nullopt: nobody.
    [[nodiscard]] std::optional<Name> holder(const Target& target, Field field) const;
    // A suspended object asks Omni nothing: whether its key was shown the connection depends on
    // what was asked before, and for others. Not so where its status says that it applied
    // something.
    [[nodiscard]] bool uncertain(const Name& holder, const Target& target) const;

    // Null: it has none, or Omni refuses it.
    [[nodiscard]] const ApiKey* key_of(const InstanceFacts& instance) const;

  private:
    const Truth& truth_;
    const Organizations& orgs_;
};

} // namespace oco::sim
