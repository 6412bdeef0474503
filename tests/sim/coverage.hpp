// How often a run met each of the situations that the contract has a rule for: a rule that is never
// met is not tested.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace oco::sim {

enum class Met {
    // who may send
    take_over_clean,
    take_over_unclean,
    standby_deaf,
    claim_lost,
    claim_regained,
    held_by_age,
    held_by_proof,
    held_before_who_may_not_read,
    doubt,
    suspended_holder,
    terminating_claimant,
    terminating_for_good,
    shared_connection,
    by_id_and_by_name,
    within_namespace,
    between_namespaces,
    field_taken_over,
    // names
    sent_by_name,
    name_kept_after_rename,
    name_taken_by_another,
    name_not_found,
    name_resolved_again,
    // what may land late
    late_value,
    late_after_death,
    late_after_retarget,
    late_after_other,
    // processes
    killed_before_stored,
    killed_while_stored,
    killed_after_stored,
    // references and rights that change
    reference_flipped,
    secret_reference_turned_back,
    namespaces_flipped,
    connections_flipped,
    label_flipped,
    instance_moved,
    key_refused,
    key_good_again,
    key_may_not_list,
    key_does_not_show,
    shared_limit_rose,
    // what else may be there at a start
    status_wiped,
    digest_key_replaced,
    namespaces_refused,
    slow_list,
    count,
};

std::string_view name_of(Met met);

class Coverage {
  public:
    static constexpr auto size = static_cast<std::size_t>(Met::count);

    void met(Met what) { ++counts[static_cast<std::size_t>(what)]; }

    std::array<std::uint64_t, size> counts{};
};

} // namespace oco::sim
