// What goes wrong between the operator and Omni; at all of Omni's hosts at once.
#include "trouble.hpp"

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

template<class T>
void set_all(Stage& stage, T OmniTrouble::*member, T value) {
    for (std::size_t org = 0; org < stage.world.orgs.size(); ++org)
        stage.world.orgs[org].omni.trouble.*member = value;
}

template<double OmniTrouble::*Member>
constexpr Fault at_omni(std::string_view name) {
    return {.name = name,
            .begin = [](Stage& s) { set_all(s, Member, share(s)); },
            .end =
                [](Stage& s) {
                    set_all(s, Member, 0.0);
                }};
}

void cut(Stage& stage) {
    for (const auto host : omni_hosts)
        stage.network.cut(std::string(host));
}

void silence(Stage& stage) {
    for (const auto host : omni_hosts)
        stage.network.silence(std::string(host));
}

void set_delay(Stage& stage, rt::Duration most) {
    for (const auto host : omni_hosts)
        stage.network.quality(std::string(host)).most_delay = most;
}

constexpr Fault omni_table[] = {
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
     .begin =
         [](Stage& s) { set_all(s, &OmniTrouble::slowness, s.dice.duration({}, seconds(15))); },
     .end =
         [](Stage& s) {
             set_all(s, &OmniTrouble::slowness, rt::Duration::zero());
         }},
    {.name = "omni: slow link",
     .begin = [](Stage& s) { set_delay(s, s.dice.duration(milliseconds(50), seconds(2))); },
     .end =
         [](Stage& s) {
             set_delay(s, LinkQuality().most_delay);
         }},
    {.name = "omni: down",
     .begin =
         [](Stage& s) {
             cut(s);
             set_all(s, &OmniTrouble::accept, Accept::refuse);
         },
     .end =
         [](Stage& s) {
             set_all(s, &OmniTrouble::accept, Accept::yes);
         }},
    {.name = "omni: unreachable",
     .begin =
         [](Stage& s) {
             silence(s);
             set_all(s, &OmniTrouble::accept, Accept::never_answer);
         },
     .end =
         [](Stage& s) {
             set_all(s, &OmniTrouble::accept, Accept::yes);
         }},
    {.name = "omni: bad certificate",
     .begin =
         [](Stage& s) {
             cut(s);
             set_all(s, &OmniTrouble::accept, Accept::bad_certificate);
         },
     .end =
         [](Stage& s) {
             set_all(s, &OmniTrouble::accept, Accept::yes);
         }},
    {.name = "omni: connections cut",
     .begin =
         [](Stage& s) {
             cut(s);
         }},
    {.name = "omni: connections silent",
     .begin =
         [](Stage& s) {
             silence(s);
         }},
    {.name = "omni: slow lists",
     .begin = [](Stage& s) { set_all(s, &OmniTrouble::list_slowness, rt::Duration(seconds(10))); },
     .end = [](Stage& s) { set_all(s, &OmniTrouble::list_slowness, rt::Duration::zero()); },
     .weight = 2},
};

} // namespace

std::span<const Fault> omni_faults() {
    return omni_table;
}

} // namespace oco::sim
