// No credential is sent to a connection whose dialect was not read once: a service account's file
// would be stored as a Postgres password. Unless reading is refused, by the list and by the read of
// the connection alone, which takes fewer rights.
#pragma once

#include "truth.hpp"
#include "views.hpp"

#include <functional>
#include <string>

namespace oco::sim {

class DialectOracle {
  public:
    DialectOracle(const Truth& truth, const OmniViews& views, std::function<Name(int)> object_of,
                  std::function<void(std::string)> complain)
        : truth_(truth), views_(views), object_of_(std::move(object_of)),
          complain_(std::move(complain)) {}

    void arrived(const OmniModel::Arrival& arrival, const std::string& host) const;

  private:
    [[nodiscard]] bool status_tells(const Name& object, const std::string& id) const;

    const Truth& truth_;
    const OmniViews& views_;
    std::function<Name(int)> object_of_;
    std::function<void(std::string)> complain_;
};

} // namespace oco::sim
