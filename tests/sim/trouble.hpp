// All that can go wrong in the simulated world: a table of faults, each of which begins at a random
// moment and, where it lasts, ends at another.
#pragma once

#include "replica.hpp"
#include "world.hpp"

#include <span>
#include <string_view>

namespace oco::sim {

// When the OmniInstance is in use.
enum class Use { none, push, list, token_read };

// What a fault may touch.
struct Stage {
    test::SimRuntime& time;
    Network& network;
    World& world;
    std::vector<std::unique_ptr<Replica>>& replicas;
    Dice& dice;
    std::uint64_t crashes = 0;
    // The process that sends the next credential dies as it arrives, and the Secret is turned back.
    bool kills_next_sender = false;
    // The next credential is carried out late, and the Secret changes before.
    bool delays_next_credential = false;
    // The OmniInstance is deleted as this begins, which takes a while.
    Use loses_instance_in = Use::none;
};

struct Fault {
    std::string_view name;
    void (*begin)(Stage&);
    // Null: it is over at once.
    void (*end)(Stage&) = nullptr;
};

std::span<const Fault> all_faults();

// A credential has arrived at Omni.
void credential_arrived(Stage& stage, const std::string& client, const std::string& value);

// The OmniInstance is being used in this way from now on.
void instance_used(Stage& stage, Use use);

// Kills a replica; it is started again a little later.
void crash(Stage& stage, Replica& replica);

} // namespace oco::sim
