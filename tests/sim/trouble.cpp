#include "trouble.hpp"

#include <utility>

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kubernetes(kube_host);
const std::string omni(omni_host);

Replica& any_replica(Stage& stage) {
    return *stage.replicas[stage.dice.index(stage.replicas.size())];
}

void start_later(Stage& stage, Replica& replica) {
    stage.time.after(stage.dice.duration(milliseconds(500), seconds(40)),
                     [&replica] { replica.start(); });
}

// A half, a quarter or nearly all of what is asked is hit.
double share(Stage& stage) {
    constexpr double shares[] = {0.25, 0.5, 0.9};
    return shares[stage.dice.index(3)];
}

template<double KubeTrouble::*Member>
constexpr Fault at_kube(std::string_view name) {
    return {.name = name,
            .begin = [](Stage& s) { s.world.kube.trouble.*Member = share(s); },
            .end =
                [](Stage& s) {
                    s.world.kube.trouble.*Member = 0;
                }};
}

template<double OmniTrouble::*Member>
constexpr Fault at_omni(std::string_view name) {
    return {.name = name,
            .begin = [](Stage& s) { s.world.omni.trouble.*Member = share(s); },
            .end =
                [](Stage& s) {
                    s.world.omni.trouble.*Member = 0;
                }};
}

void slow_link(Stage& stage, const std::string& host) {
    stage.network.quality(host).most_delay = stage.dice.duration(milliseconds(50), seconds(2));
}

void quick_link(Stage& stage, const std::string& host) {
    stage.network.quality(host).most_delay = LinkQuality().most_delay;
}

// Made again at once, so that one look sees only another object, or a while later.
void lose_instance(Stage& stage) {
    stage.world.instance.remove();
    stage.time.after(stage.dice.chance(0.4) ? rt::Duration::zero()
                                            : stage.dice.duration({}, seconds(20)),
                     [&stage] { stage.world.instance.make_somehow(); });
}

constexpr Fault faults[] = {
    // --- Kubernetes
    at_kube<&KubeTrouble::error_before>("kube: errors, nothing done"),
    at_kube<&KubeTrouble::error_after>("kube: errors, though done"),
    at_kube<&KubeTrouble::conflict>("kube: conflicts"),
    at_kube<&KubeTrouble::too_many>("kube: too many requests"),
    at_kube<&KubeTrouble::reply_lost>("kube: replies lost"),
    at_kube<&KubeTrouble::reply_half>("kube: half replies"),
    at_kube<&KubeTrouble::reply_never>("kube: no replies"),
    at_kube<&KubeTrouble::watch_gone>("kube: 410"),
    at_kube<&KubeTrouble::watch_garbage>("kube: errors and garbage in watches"),
    at_kube<&KubeTrouble::watch_repeats>("kube: repeated events"),
    {.name = "kube: slow answers",
     .begin = [](Stage& s) { s.world.kube.trouble.slowness = s.dice.duration({}, seconds(20)); },
     .end =
         [](Stage& s) {
             s.world.kube.trouble.slowness = {};
         }},
    {.name = "kube: late events",
     .begin = [](Stage& s) { s.world.kube.trouble.watch_lag = s.dice.duration({}, seconds(15)); },
     .end =
         [](Stage& s) {
             s.world.kube.trouble.watch_lag = {};
         }},
    {.name = "kube: slow link",
     .begin = [](Stage& s) { slow_link(s, kubernetes); },
     .end =
         [](Stage& s) {
             quick_link(s, kubernetes);
         }},
    {.name = "kube: restart",
     .begin =
         [](Stage& s) {
             s.world.kube.restart();
             s.network.cut(kubernetes);
             s.world.kube.trouble.refuses_connections = true;
         },
     .end =
         [](Stage& s) {
             s.world.kube.trouble.refuses_connections = false;
         }},
    {.name = "kube: unreachable",
     .begin =
         [](Stage& s) {
             s.network.silence(kubernetes);
             s.world.kube.trouble.never_answers_connections = true;
         },
     .end =
         [](Stage& s) {
             s.world.kube.trouble.never_answers_connections = false;
         }},
    {.name = "kube: connections cut",
     .begin =
         [](Stage& s) {
             s.network.cut(kubernetes);
         }},
    {.name = "kube: connections silent",
     .begin =
         [](Stage& s) {
             s.network.silence(kubernetes);
         }},
    {.name = "kube: compaction, and a deletion that no watch can tell of",
     .begin =
         [](Stage& s) {
             s.network.cut(kubernetes);
             s.world.retire_one();
             s.world.kube.compact();
         }},
    {.name = "kube: token rotated",
     .begin =
         [](Stage& s) {
             s.world.rotate_kube_token();
         }},
    // --- Omni
    at_omni<&OmniTrouble::error_before>("omni: errors, nothing done"),
    at_omni<&OmniTrouble::error_after>("omni: errors, though done"),
    at_omni<&OmniTrouble::too_many>("omni: 429"),
    at_omni<&OmniTrouble::reply_lost>("omni: replies lost"),
    at_omni<&OmniTrouble::reply_half>("omni: half replies"),
    at_omni<&OmniTrouble::dropped>("omni: requests dropped"),
    at_omni<&OmniTrouble::never>("omni: never answered, not done"),
    at_omni<&OmniTrouble::reply_never>("omni: never answered, though done"),
    at_omni<&OmniTrouble::late>("omni: done late"),
    at_omni<&OmniTrouble::forbidden>("omni: forbidden"),
    {.name = "omni: slow answers",
     .begin = [](Stage& s) { s.world.omni.trouble.slowness = s.dice.duration({}, seconds(15)); },
     .end =
         [](Stage& s) {
             s.world.omni.trouble.slowness = {};
         }},
    {.name = "omni: slow link",
     .begin = [](Stage& s) { slow_link(s, omni); },
     .end =
         [](Stage& s) {
             quick_link(s, omni);
         }},
    {.name = "omni: down",
     .begin =
         [](Stage& s) {
             s.network.cut(omni);
             s.world.omni.trouble.accept = Accept::refuse;
         },
     .end =
         [](Stage& s) {
             s.world.omni.trouble.accept = Accept::yes;
         }},
    {.name = "omni: unreachable",
     .begin =
         [](Stage& s) {
             s.network.silence(omni);
             s.world.omni.trouble.accept = Accept::never_answer;
         },
     .end =
         [](Stage& s) {
             s.world.omni.trouble.accept = Accept::yes;
         }},
    {.name = "omni: bad certificate",
     .begin =
         [](Stage& s) {
             s.network.cut(omni);
             s.world.omni.trouble.accept = Accept::bad_certificate;
         },
     .end =
         [](Stage& s) {
             s.world.omni.trouble.accept = Accept::yes;
         }},
    {.name = "omni: connections cut",
     .begin =
         [](Stage& s) {
             s.network.cut(omni);
         }},
    {.name = "omni: connections silent",
     .begin =
         [](Stage& s) {
             s.network.silence(omni);
         }},
    {.name = "omni: key revoked",
     .begin = [](Stage& s) { s.world.instance.revoke_key(); },
     .end =
         [](Stage& s) {
             s.world.instance.restore_key();
         }},
    // --- the OmniInstance
    {.name = "instance deleted",
     .begin = [](Stage& s) { s.world.instance.remove(); },
     .end =
         [](Stage& s) {
             s.world.instance.make_somehow();
         }},
    {.name = "instance deleted and made again", .begin = lose_instance},
    {.name = "instance deleted while a credential is sent",
     .begin =
         [](Stage& s) {
             s.loses_instance_in = Use::push;
         }},
    {.name = "instance deleted while the list is read",
     .begin =
         [](Stage& s) {
             s.loses_instance_in = Use::list;
         }},
    {.name = "instance deleted while its key is read",
     .begin =
         [](Stage& s) {
             s.loses_instance_in = Use::token_read;
         }},
    // --- the operator
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
    {.name = "crash after a push, and the Secret is turned back",
     .begin =
         [](Stage& s) {
             s.kills_next_sender = true;
         }},
    {.name = "omni: a credential is done late, and the Secret changes before",
     .begin =
         [](Stage& s) {
             s.delays_next_credential = true;
         }},
    {.name = "SIGTERM",
     .begin =
         [](Stage& s) {
             any_replica(s).stop();
         }},
};

} // namespace

std::span<const Fault> all_faults() {
    return faults;
}

void credential_arrived(Stage& stage, const std::string& client, const std::string& value) {
    if (std::exchange(stage.delays_next_credential, false)) {
        OmniTrouble& trouble = stage.world.omni.trouble;
        trouble.late = 1; // for this request alone
        stage.time.after(rt::Duration::zero(), [&trouble] { trouble.late = 0; });
        stage.time.after(stage.dice.duration(seconds(10), seconds(14)),
                         [&stage, value] { stage.world.turn_over(value); });
        return;
    }
    if (!std::exchange(stage.kills_next_sender, false))
        return;
    stage.time.after(milliseconds(1), [&stage, client, value] {
        for (auto& replica : stage.replicas)
            if (replica->address() == client)
                crash(stage, *replica);
        stage.world.turn_back(value);
    });
}

void instance_used(Stage& stage, Use use) {
    if (stage.loses_instance_in != use)
        return;
    stage.loses_instance_in = Use::none;
    const auto taken = stage.dice.duration(seconds(1), seconds(9));
    if (use == Use::token_read)
        stage.world.kube.trouble.next_answer_takes = taken;
    else
        stage.world.omni.trouble.next_answer_takes = taken;
    stage.time.after(stage.dice.duration({}, seconds(1)), [&stage] { lose_instance(stage); });
}

void crash(Stage& stage, Replica& replica) {
    if (!replica.running())
        return;
    ++stage.crashes;
    replica.kill();
    start_later(stage, replica);
}

} // namespace oco::sim
