// Processes that die, OmniInstances that vanish at a bad moment, and what changes while nobody
// looks.
#include "kube_rules.hpp"
#include "trouble.hpp"

#include <utility>

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr rt::Duration longest_late = std::chrono::seconds(50);

Replica& any_replica(Stage& stage) {
    return *stage.replicas[stage.dice.index(stage.replicas.size())];
}

// Made again at once, so that one look sees only another object, or a while later.
void lose_instance(Stage& stage, ManagedInstance& instance) {
    stage.world.excuse_users_of(instance);
    instance.remove();
    stage.time.after(stage.dice.chance(0.4) ? rt::Duration::zero()
                                            : stage.dice.duration({}, seconds(20)),
                     [&stage, &instance] {
                         stage.world.excuse_users_of(instance);
                         instance.make_somehow();
                     });
}

// What the credential of a PATCH was sent for is not so any more.
void turn_away(Stage& stage, int number) {
    World& world = stage.world;
    if (number < 0 || static_cast<std::size_t>(number) >= world.objects.size())
        return;
    ManagedObject& object = world.objects[static_cast<std::size_t>(number)];
    const auto living = world.org_of(object).living();
    switch (stage.dice.index(5)) {
    case 0:
        return world.secrets.turn_back(object.secret_name());
    case 1:
        return world.secrets.rotate(object.secret_name(), number);
    case 2:
        stage.coverage.met(Met::secret_reference_turned_back);
        object.secret = 1 - object.secret;
        return world.apply(object);
    case 3:
        if (living.empty())
            return;
        object.connection_name.clear();
        object.connection_id = stage.dice.pick(living);
        return world.apply(object);
    default: // another takes its place
        world.remove(object);
        return world.later([&world, number] { world.make_again(number); });
    }
}

// The Secret of the digest key is deleted; each process makes or takes a new one when it starts.
void replace_digest_key(Stage& stage) {
    for (const auto* secret : stage.world.kube.all("secrets")) {
        const bj::object& meta = secret->at("metadata").as_object();
        if (text_at(meta, {"namespace"}) != operator_namespace)
            continue;
        const std::string name = text_at(meta, {"name"});
        stage.coverage.met(Met::digest_key_replaced);
        stage.world.excuse_all();
        stage.world.kube.remove("secrets", std::string(operator_namespace), name);
        break;
    }
    for (auto& replica : stage.replicas)
        if (stage.dice.chance(0.7))
            crash(stage, *replica);
}

// The process that holds the Lease, or null.
Replica* leader(Stage& stage) {
    for (const auto* lease : stage.world.kube.all("leases"))
        for (auto& replica : stage.replicas)
            if (replica->running() &&
                text_at(*lease, {"spec", "holderIdentity"}).starts_with(replica->address() + "_"))
                return replica.get();
    return nullptr;
}

// The standby's watches die, which it does not know, and what it has seen is old when it leads.
void deafen_standby(Stage& stage) {
    Replica* const leads = leader(stage);
    if (leads == nullptr)
        return;
    for (auto& replica : stage.replicas)
        if (replica.get() != leads && replica->running())
            stage.network.silence(std::string(kube_host), replica->address());
    stage.time.after(stage.dice.duration(seconds(3), seconds(40)), [&stage, leads] {
        if (leader(stage) != leads)
            return;
        stage.coverage.met(Met::standby_deaf);
        leads->stop();
    });
}

template<Use When>
constexpr Fault loses_instance(std::string_view name) {
    return {.name = name, .begin = [](Stage& s) {
                s.loses_instance_in = When;
            }};
}

template<Moment When>
constexpr Fault kills_sender(std::string_view name, int weight) {
    return {.name = name, .begin = [](Stage& s) { s.kills_next_sender = When; }, .weight = weight};
}

constexpr Fault process_table[] = {
    {.name = "instance deleted and made again",
     .begin =
         [](Stage& s) {
             lose_instance(s, s.world.any_instance());
         }},
    loses_instance<Use::push>("instance deleted while a credential is sent"),
    loses_instance<Use::list>("instance deleted while the list is read"),
    loses_instance<Use::token_read>("instance deleted while its key is read"),
    {.name = "crash",
     .begin =
         [](Stage& s) {
             crash(s, any_replica(s));
         }},
    {.name = "crash of the leader while it sends",
     .begin =
         [](Stage& s) {
             for (auto& replica : s.replicas)
                 crash(s, *replica);
         }},
    kills_sender<Moment::before_stored>("crash before a push is stored", 1),
    kills_sender<Moment::while_stored>("crash during a push that is stored late", 2),
    kills_sender<Moment::after_stored>("crash after a push was stored", 2),
    {.name = "omni: a credential is done late, and changes before",
     .begin = [](Stage& s) { s.delays_next_credential = true; },
     .weight = 2},
    {.name = "digest key replaced", .begin = replace_digest_key},
    {.name = "the standby is deaf when the leader goes", .begin = deafen_standby, .weight = 2},
    {.name = "SIGTERM", .begin = [](Stage& s) { any_replica(s).stop(); }, .weight = 4},
};

} // namespace

std::span<const Fault> process_faults() {
    return process_table;
}

double share(Stage& stage) {
    constexpr double shares[] = {0.25, 0.5, 0.9};
    return stage.dice.pick(shares);
}

void credential_arrived(Stage& stage, OmniModel& omni, const OmniModel::Arrival& arrival) {
    const int number = sender_of(push_of(arrival.request)).value_or(-1);
    if (std::exchange(stage.delays_next_credential, false)) {
        omni.trouble.next_patch_lands_after = stage.dice.duration(seconds(12), longest_late);
        stage.time.after(stage.dice.duration(seconds(5), seconds(14)),
                         [&stage, number] { turn_away(stage, number); });
        return;
    }
    const Moment moment = std::exchange(stage.kills_next_sender, Moment::none);
    rt::Duration until_death{};
    switch (moment) {
    case Moment::none:
        return;
    case Moment::before_stored:
        stage.coverage.met(Met::killed_before_stored);
        omni.trouble.next_patch_lost = true;
        break;
    case Moment::while_stored:
        stage.coverage.met(Met::killed_while_stored);
        omni.trouble.next_patch_lands_after = stage.dice.duration({}, longest_late);
        break;
    case Moment::after_stored: // before the answer is there, or before it is recorded
        stage.coverage.met(Met::killed_after_stored);
        until_death = stage.dice.chance(0.5) ? stage.dice.duration({}, milliseconds(12))
                                             : stage.dice.duration({}, milliseconds(1200));
        break;
    }
    stage.time.after(until_death, [&stage, client = arrival.client] {
        for (auto& replica : stage.replicas)
            if (replica->address() == client)
                crash(stage, *replica);
    });
    stage.time.after(stage.dice.duration(until_death, seconds(20)),
                     [&stage, number] { turn_away(stage, number); });
}

void instance_used(Stage& stage, Use use, OmniModel* omni, ManagedInstance* instance) {
    if (stage.loses_instance_in != use)
        return;
    stage.loses_instance_in = Use::none;
    const auto taken = stage.dice.duration(seconds(1), seconds(9));
    if (omni == nullptr)
        stage.world.kube.trouble.next_answer_takes = taken;
    else
        omni->trouble.next_answer_takes = taken;
    ManagedInstance& lost = instance == nullptr ? stage.world.any_instance() : *instance;
    stage.time.after(stage.dice.duration({}, seconds(1)),
                     [&stage, &lost] { lose_instance(stage, lost); });
}

void crash(Stage& stage, Replica& replica) {
    if (!replica.running())
        return;
    ++stage.crashes;
    replica.kill();
    stage.time.after(stage.dice.duration(milliseconds(500), seconds(40)),
                     [&replica] { replica.start(); });
}

} // namespace oco::sim
