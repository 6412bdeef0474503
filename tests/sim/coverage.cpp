#include "coverage.hpp"

namespace oco::sim {

std::string_view name_of(Met met) {
    constexpr std::array<std::string_view, Coverage::size> names{
        "clean take-overs",
        "unclean take-overs",
        "leaders that went while the standby's watches were dead",
        "claims lost",
        "claims regained",
        "conflicts decided by age",
        "conflicts decided by proof",
        "conflicts decided against a key that may not read",
        "older claims in doubt while a status names a holder",
        "conflicts that a suspended object wins",
        "sent while a terminating object claimed",
        "terminating objects that stay, of those that share a connection",
        "objects that share a connection without a conflict",
        "conflicts between an id and a name",
        "conflicts within a namespace",
        "conflicts between namespaces",
        "fields taken over from another object",
        "sent by name",
        "sent to a connection that was renamed",
        "names taken by another connection",
        "by-name PATCHes answered 404",
        "names resolved again",
        "values that landed late",
        "values that landed late, of a dead process",
        "values that landed late, after the object had turned away",
        "values that landed late, after another object's",
        "processes killed before a PATCH was stored",
        "processes killed before a PATCH was stored late",
        "processes killed after a PATCH was stored",
        "references flipped",
        "references to a Secret turned back",
        "allowedNamespaces flipped",
        "allowedConnections flipped",
        "namespaces' labels flipped",
        "OmniInstances moved to another key or host",
        "keys refused",
        "keys good again",
        "lists refused to a good key",
        "lists that do not show a connection",
        "limits of shared keys that rose",
        "statuses wiped",
        "digest keys replaced",
        "starts while namespaces can't be listed",
        "lists that took more than 4 s",
    };
    return names[static_cast<std::size_t>(met)];
}

} // namespace oco::sim
