// What Omni refused, and what is sent all the same: pure decisions over the values that are
// pending.
#pragma once

#include "reconcile/connection/digests.hpp"

#include <set>
#include <string>

namespace oco::reconcile {

// The identity of a set of values: what `status.rejected.digest` holds.
std::string combined_digest(const Digests& digests, const FieldSet& fields);

// The fields, among these, whose values together have that digest; empty: none have.
FieldSet subset_with_digest(const FieldSet& fields, const Digests& digests,
                            const std::string& combined);

// "would send credential, baseRole to connection ID at HOST": for people, with the fields as the
// status names them.
std::string describe_push(const FieldSet& fields, const api::Target& target);

// What Omni refused, for one generation of the spec.
class Refusals {
  public:
    // Another generation makes all void.
    void at_generation(std::int64_t generation);

    void add(const std::string& combined) { combined_.insert(combined); }

    [[nodiscard]] bool contains(const std::string& combined) const {
        return combined_.contains(combined);
    }

    [[nodiscard]] bool empty() const { return combined_.empty(); }

  private:
    std::int64_t generation_ = -1;
    std::set<std::string> combined_;
};

struct Choice {
    FieldSet send;    // one PATCH; empty: nothing to send
    FieldSet blocked; // pending, but refused as they are
};

// All pending fields in one PATCH; once that was refused, the credential alone, then what is left,
// then each setting alone, so that one bad value never holds up another.
Choice choose(const FieldSet& pending, const Digests& digests, const Refusals& refusals);

// After `sent` was accepted although a larger set of pending fields had been refused: if a single
// other field is left, it is the one that Omni refuses. Empty otherwise.
FieldSet culprit(const FieldSet& pending, const FieldSet& sent, const Digests& digests,
                 const Refusals& refusals);

} // namespace oco::reconcile
