#include "reconcile/connection/refusals.hpp"

#include "base/digest.hpp"

#include <algorithm>

namespace oco::reconcile {
namespace {

using omni::Field;

FieldSet without(const FieldSet& fields, const FieldSet& removed) {
    FieldSet out;
    std::ranges::set_difference(fields, removed, std::inserter(out, out.end()));
    return out;
}

} // namespace

std::string combined_digest(const Digests& digests, const FieldSet& fields) {
    std::string all;
    for (const Field field : fields)
        all.append(omni::name(field)).append("=").append(digests.at(field)).append(";");
    return fingerprint(all);
}

FieldSet subset_with_digest(const FieldSet& fields, const Digests& digests,
                            const std::string& combined) {
    const std::vector<Field> all(fields.begin(), fields.end());
    for (unsigned mask = 1; mask < (1U << all.size()); ++mask) {
        FieldSet subset;
        for (std::size_t i = 0; i < all.size(); ++i)
            if ((mask & (1U << i)) != 0)
                subset.insert(all[i]);
        if (combined_digest(digests, subset) == combined)
            return subset;
    }
    return {};
}

std::string describe_push(const FieldSet& fields, const api::Target& target) {
    std::string names;
    for (const Field field : fields)
        names.append(names.empty() ? "" : ", ").append(api::name_in_status(field));
    return "would send " + names + " to connection " + target.connection_id + " at " + target.host;
}

void Refusals::at_generation(std::int64_t generation) {
    if (generation_ != generation)
        combined_.clear();
    generation_ = generation;
}

Choice choose(const FieldSet& pending, const Digests& digests, const Refusals& refusals) {
    std::vector<FieldSet> candidates;
    candidates.push_back(pending);
    if (pending.contains(Field::credential)) {
        candidates.push_back({Field::credential});
        candidates.push_back(without(pending, {Field::credential}));
    }
    for (const Field field : pending)
        candidates.push_back({field});

    Choice out;
    for (const Field field : pending)
        if (refusals.contains(combined_digest(digests, {field})))
            out.blocked.insert(field);
    for (const auto& candidate : candidates) {
        const bool hopeless =
            candidate.empty() || refusals.contains(combined_digest(digests, candidate)) ||
            std::ranges::any_of(candidate,
                                [&](Field field) { return out.blocked.contains(field); });
        if (!hopeless) {
            out.send = candidate;
            return out;
        }
    }
    out.blocked = pending; // refused together and each alone
    return out;
}

FieldSet culprit(const FieldSet& pending, const FieldSet& sent, const Digests& digests,
                 const Refusals& refusals) {
    const FieldSet left = without(pending, sent);
    const bool refused_together =
        left.size() == 1 && refusals.contains(combined_digest(digests, pending));
    return refused_together ? left : FieldSet();
}

} // namespace oco::reconcile
