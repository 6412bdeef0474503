// All that can go wrong in the simulated world: tables of faults, each of which begins at a random
// moment and, where it lasts, ends at another.
#pragma once

#include "coverage.hpp"
#include "replica.hpp"
#include "world.hpp"

#include <span>
#include <string_view>

namespace oco::sim {

// When an OmniInstance is in use.
enum class Use { none, push, list, token_read };

// The moment of a PATCH at which its process is killed.
enum class Moment { none, before_stored, while_stored, after_stored };

// What a fault may touch.
struct Stage {
    test::SimRuntime& time;
    Network& network;
    World& world;
    std::vector<std::unique_ptr<Replica>>& replicas;
    Dice& dice;
    Coverage& coverage;
    std::uint64_t crashes = 0;
    // The process that sends the next credential dies, and what it was sent for is changed.
    Moment kills_next_sender = Moment::none;
    // The next credential is carried out late, and what it was sent for changes before.
    bool delays_next_credential = false;
    // The OmniInstance is deleted as this begins, which takes a while.
    Use loses_instance_in = Use::none;
};

struct Fault {
    std::string_view name;
    void (*begin)(Stage&);
    // Null: it is over at once.
    void (*end)(Stage&) = nullptr;
    // Statuses may not get through, or Secrets not be read, while it lasts.
    bool of_kube = false;
    int weight = 1; // how often it is chosen
};

std::span<const Fault> kube_faults();
std::span<const Fault> omni_faults();
std::span<const Fault> process_faults();

// A half, a quarter or nearly all of what is asked is hit.
double share(Stage& stage);

// --- what faults wait for
// A credential has arrived at Omni, and nothing is done yet.
void credential_arrived(Stage& stage, OmniModel& omni, const OmniModel::Arrival& arrival);
// An OmniInstance is being used in this way from now on; null: it is not known which.
void instance_used(Stage& stage, Use use, OmniModel* omni, ManagedInstance* instance);

// Kills a replica; it is started again a little later.
void crash(Stage& stage, Replica& replica);

} // namespace oco::sim
