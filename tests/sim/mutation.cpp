#include "mutation.hpp"

#include "base/mutation.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace oco {
namespace {

constexpr sim::Mutation mutations[] = {
    {"no-relist-after-410", "a watch that is told 410 goes on from the same version"},
    {"no-deletes-from-relist", "what a relist does not name stays in the view"},
    {"no-idle-limit", "a watch that went silent is waited for without end"},
    {"no-refresh-at-take-over", "a new leader trusts the view it had as a standby"},
    {"lease-unchecked", "a PATCH is sent without asking whether the Lease lasts"},
    {"unclean-counts-as-clean", "what a process that crashed may have sent is not suspected"},
    {"unknown-counts-as-applied", "a PATCH without an answer counts as accepted"},
    {"no-settling", "a value that follows an unanswered one is sent only once"},
    {"stale-read", "a read may be older than the one before", sim::FoundBy::scenario},
    {"answers-cost-nothing", "a slot of the budget is free again as soon as the answer came"},
    {"version-is-value", "a Secret whose version changed is sent, changed or not"},
    {"applied-before-push", "what is to be sent is recorded as held before it was sent"},
    {"late-values-forgotten", "once a value is accepted, earlier unanswered ones are not feared"},
    {"failed-status-forgotten", "a status that could not be written is not written again"},
    {"claim-without-proof", "an object whose key was never shown the connection claims it"},
    {"applied-kept-over-a-lost-claim", "a new holder does not wait until the one before is void"},
    {"claims-incomplete-at-take-over", "older claims whose proof is not known yet are not awaited"},
    {"deleted-objects-hold", "an object that is being deleted holds what it claimed"},
    {"name-from-an-old-list", "a name is resolved by a list from before it was seen"},
};

std::string_view chosen;

} // namespace

// A name that is not in the list is a mistake in the operator's code.
bool mutated(std::string_view mutation) {
    if (std::ranges::find(mutations, mutation, &sim::Mutation::name) == std::end(mutations))
        throw std::logic_error("no such mutation: " + std::string(mutation));
    return mutation == chosen;
}

namespace sim {

std::span<const Mutation> all_mutations() {
    return mutations;
}

bool choose_mutation(std::string_view name) {
    chosen = {};
    if (name.empty())
        return true;
    const auto it = std::ranges::find(mutations, name, &Mutation::name);
    if (it == std::end(mutations))
        return false;
    chosen = it->name;
    return true;
}

} // namespace sim
} // namespace oco
