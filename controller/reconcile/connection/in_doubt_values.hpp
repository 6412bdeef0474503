// The values of attempts that Omni never answered. They may have been accepted, may be, or may not:
// for a minute after we gave up, each of them can still take the place of a value that was sent
// later. Pure: time comes in.
#pragma once

#include "omni/types.hpp"
#include "reconcile/connection/plan.hpp"
#include "rt/runtime.hpp"

#include <map>
#include <optional>
#include <string>

namespace oco::reconcile {

class InDoubtValues {
  public:
    static constexpr rt::Duration may_land_for = std::chrono::seconds(60);

    void note(omni::Field field, std::string digest, rt::TimePoint now) {
        in_doubt_[field][std::move(digest)] = now + may_land_for;
    }

    // By a process before this one, which did not tell the value: it differs from every other.
    void note_unknown_value(omni::Field field, rt::TimePoint now) { note(field, "", now); }

    // Whether another value than this may still land.
    [[nodiscard]] bool may_be_overwritten(omni::Field field, const std::string& digest,
                                          rt::TimePoint now) const;
    // Those of which any value may still land.
    [[nodiscard]] FieldSet fields(rt::TimePoint now) const;
    // When fields() loses one.
    [[nodiscard]] std::optional<rt::TimePoint> next_change(rt::TimePoint now) const;

    void clear() { in_doubt_.clear(); }

  private:
    std::map<omni::Field, std::map<std::string, rt::TimePoint>> in_doubt_; // digest -> until when
};

} // namespace oco::reconcile
