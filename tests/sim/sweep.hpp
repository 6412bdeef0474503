// Counts the situations of coverage.hpp that show in what is, rather than in what is done.
#pragma once

#include "coverage.hpp"
#include "holders.hpp"
#include "objects.hpp"
#include "views.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace oco::sim {

class Sweep {
  public:
    Sweep(const Truth& truth, const Organizations& orgs, Coverage& coverage)
        : truth_(truth), holders_(truth, orgs), coverage_(coverage) {}

    // Now and then: who holds what.
    void look();
    // What a PATCH brings is about to be stored.
    void stored(const OmniModel::Arrival& arrival, const Organization& org,
                const std::string& leader, const std::vector<ManagedObject>& objects);
    // A client has the whole answer, which `views` does not know yet.
    void delivered(const OmniModel::Arrival& arrival, const Organization& org,
                   const OmniViews& views, const std::vector<ManagedObject>& objects,
                   rt::Duration took);
    void status_written(const Name& name);

  private:
    void compare(const ObjectFacts& object);
    void compare_claims(const ObjectFacts& older, const ObjectFacts& younger);

    const Truth& truth_;
    Holders holders_;
    Coverage& coverage_;
    // Whether an object holds a field that it manages, as last seen; and whether it ever did.
    std::map<std::pair<Name, Field>, bool> holds_;
    std::set<std::pair<Name, Field>> held_;
};

} // namespace oco::sim
