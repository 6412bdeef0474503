// What goes wrong between the operator and the API server.
#include "trouble.hpp"

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kubernetes(kube_host);

template<double KubeTrouble::*Member>
constexpr Fault at_kube(std::string_view name) {
    return {.name = name,
            .begin = [](Stage& s) { s.world.kube.trouble.*Member = share(s); },
            .end = [](Stage& s) { s.world.kube.trouble.*Member = 0; },
            .of_kube = true};
}

// Who starts now cannot know which namespaces an OmniInstance selects.
void refuse_namespaces(Stage& stage) {
    constexpr int codes[] = {403, 404, 500};
    stage.coverage.met(Met::namespaces_refused);
    stage.world.excuse_all();
    stage.world.kube.trouble.refused_reads["namespaces"] = stage.dice.pick(codes);
    stage.network.cut(kubernetes);
    for (auto& replica : stage.replicas)
        if (stage.dice.chance(0.7))
            crash(stage, *replica);
}

constexpr Fault kube_table[] = {
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
     .end = [](Stage& s) { s.world.kube.trouble.slowness = {}; },
     .of_kube = true},
    {.name = "kube: late events",
     .begin = [](Stage& s) { s.world.kube.trouble.watch_lag = s.dice.duration({}, seconds(15)); },
     .end = [](Stage& s) { s.world.kube.trouble.watch_lag = {}; },
     .of_kube = true},
    {.name = "kube: slow link",
     .begin =
         [](Stage& s) {
             s.network.quality(kubernetes).most_delay =
                 s.dice.duration(milliseconds(50), seconds(2));
         },
     .end = [](Stage& s) { s.network.quality(kubernetes).most_delay = LinkQuality().most_delay; },
     .of_kube = true},
    {.name = "kube: restart",
     .begin =
         [](Stage& s) {
             s.world.kube.restart();
             s.network.cut(kubernetes);
             s.world.kube.trouble.refuses_connections = true;
         },
     .end = [](Stage& s) { s.world.kube.trouble.refuses_connections = false; },
     .of_kube = true},
    {.name = "kube: unreachable",
     .begin =
         [](Stage& s) {
             s.network.silence(kubernetes);
             s.world.kube.trouble.never_answers_connections = true;
         },
     .end = [](Stage& s) { s.world.kube.trouble.never_answers_connections = false; },
     .of_kube = true},
    {.name = "kube: connections cut",
     .begin = [](Stage& s) { s.network.cut(kubernetes); },
     .of_kube = true},
    {.name = "kube: connections silent",
     .begin = [](Stage& s) { s.network.silence(kubernetes); },
     .of_kube = true},
    {.name = "kube: compaction, and a deletion that no watch can tell of",
     .begin =
         [](Stage& s) {
             s.network.cut(kubernetes);
             s.world.retire_one();
             s.world.kube.compact();
         },
     .of_kube = true},
    {.name = "kube: token rotated",
     .begin = [](Stage& s) { s.world.rotate_kube_token(); },
     .of_kube = true},
    {.name = "kube: namespaces can't be listed at a start",
     .begin = refuse_namespaces,
     .end = [](Stage& s) { s.world.kube.trouble.refused_reads.clear(); },
     .of_kube = true},
};

} // namespace

std::span<const Fault> kube_faults() {
    return kube_table;
}

} // namespace oco::sim
