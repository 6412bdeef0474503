// Whether a setting in Omni is still what was sent, by the lists that Omni gives, and when to leave
// it alone. Pure: time comes in.
#pragma once

#include "omni/types.hpp"
#include "rt/runtime.hpp"

#include <map>

namespace oco::reconcile {

class Drift {
  public:
    // A correction that reads back different so often is not repeated: Omni keeps the value in
    // another form, or somebody else insists on another.
    static constexpr int most_corrections = 2;

    enum class Finding {
        unknown, // the list is older than the last push
        in_step,
        differs,  // to be corrected
        given_up, // it differs, and corrections do not last
    };

    struct Judgement {
        Finding finding = Finding::unknown;
        bool news = false; // the first of this list
    };

    // What a list that was asked for at `asked_at` tells of a field that counts as applied.
    Judgement judge(omni::Field field, bool differs, rt::TimePoint asked_at);

    // Omni accepted the field; as a correction of what judge() found, or for another reason.
    void pushed(omni::Field field, rt::TimePoint now);

    [[nodiscard]] bool corrects(omni::Field field) const;
    [[nodiscard]] bool given_up() const;

    // The spec is another, or somebody asks for a reconcile: corrections may be tried again.
    void begin_again();

  private:
    struct State {
        Finding finding = Finding::unknown;
        int corrections = 0; // since it last was in step
        rt::TimePoint pushed_at = rt::TimePoint::min();
        rt::TimePoint judged = rt::TimePoint::min(); // the list
    };

    std::map<omni::Field, State> states_;
};

} // namespace oco::reconcile
