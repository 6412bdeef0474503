// How fast wanted pushes go, and in which order.
#include "budget_verdict.hpp"

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Group = BudgetWorld::Group;

bool rotates(const Received& one) {
    return !one.push.value.empty();
}

bool sets_role(const Received& one) {
    return one.push.value.empty() && !one.push.base_role.empty();
}

void rotations(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t count = 300;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = count});
    verdict.expect(world.start(), "it does not begin");
    world.rotate(0, count);
    world.advance_until([&] { return world.all_in_step(); }, minutes(6));
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
    judge_use(verdict, world.omni.traffic.times(requests::any), usual_limit);
}

// Another client of the same key sends a request every two seconds.
void second_client(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t count = 900;
    constexpr int judged_minutes = 9;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = count});
    verdict.expect(world.start(), "it does not begin");
    for (auto when = world.now(); when < world.now() + minutes(60); when += seconds(2))
        world.time().at(when, [&world] { world.omni.other_client(world.key()); });
    world.advance(minutes(2));
    const auto from = world.now() + minutes(4);
    const auto until = from + minutes(judged_minutes);
    world.rotate(0, count);
    world.advance_until([&] { return world.all_in_step(); }, minutes(50));
    const Traffic& traffic = world.omni.traffic;
    const double refused =
        double(traffic.count(requests::at(from, until, requests::refused))) / judged_minutes;
    const double accepted = double(traffic.count(requests::at(
                                from, until, [](const auto& one) { return one.accepted(); }))) /
                            judged_minutes;
    verdict.note("429s a minute", refused);
    verdict.note("accepted a minute", accepted);
    verdict.note("minutes in all", in_seconds(world.now() - from) / 60 + 4);
    verdict.expect(refused <= 2, "more than two 429 a minute");
    verdict.expect(accepted >= 27, "less than 90 % of what is left is used");
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit, {.refusals = Refusals::may_be});
}

// A rotation does not wait for settings.
void rotation_in_backlog(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t count = 1'000;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = count, .manages = Manages::role});
    const bool same = settings.variant == "same-namespace";
    const auto ours = world.add_connections({.ns = same ? "team-a" : "team-b", .count = 5});
    verdict.expect(world.start(), "it does not begin");
    for (std::size_t place = 0; place < count; ++place)
        world.set_role(place, "QUERIER");
    rt::Duration longest{};
    for (std::size_t place = ours; place < ours + 5; ++place) {
        world.advance(minutes(2) + seconds(13));
        longest = std::max(longest, world.time_of_rotation(place));
    }
    const auto pending = count - world.omni.traffic.count(sets_role);
    verdict.note("role changes still to come", double(pending));
    verdict.expect(pending > 100, "the backlog is over before the last rotation");
    verdict.note("longest wait of a rotation, s", in_seconds(longest));
    verdict.expect(longest <= seconds(1), "a rotation waits for settings");
    world.advance_until([&] { return world.all_in_step(); }, minutes(15));
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
    // Nine a ten seconds; the slot that goes to whoever waited longest may come between.
    const auto in_ten = largest_window(world.omni.traffic.times(sets_role), seconds(10));
    verdict.note("role changes in 10 s", double(in_ten));
    verdict.expect(in_ten <= 10, "settings are not paced");
    const double a_minute = double(count) / in_seconds(world.now() - world.begin) * 60;
    verdict.note("role changes a minute", a_minute);
    verdict.expect(a_minute >= 0.98 * 0.9 * usual_limit,
                   "settings do not get nine tenths of the limit");
}

// Rotations of two namespaces take turns.
void behind_other_namespace(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t count = 300;
    constexpr std::size_t a_few = 3;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = count});
    const auto ours = world.add_connections({.ns = "team-b", .count = 3});
    verdict.expect(world.start(), "it does not begin");
    world.rotate(0, count);
    std::size_t most_before = 0;
    for (std::size_t place = ours; place < ours + 3; ++place) {
        world.advance(seconds(31));
        const auto written = world.now();
        const auto took = world.time_of_rotation(place);
        most_before = std::max(most_before, world.omni.traffic.count(requests::at(
                                                written, written + took, requests::any)));
    }
    verdict.note("most slots before its turn", double(most_before));
    verdict.expect(most_before <= a_few, "a rotation of another namespace waits for more than " +
                                             std::to_string(a_few) + " slots");
    world.advance_until([&] { return world.all_in_step(); }, minutes(6));
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
    judge_use(verdict, world.omni.traffic.times(requests::any), usual_limit);
}

// Within a namespace: first come, first served.
void behind_same_namespace(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t count = 300;
    constexpr std::size_t later = 20;
    constexpr std::size_t side_by_side = 16; // on their way at once, and overtake each other
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = count});
    const auto ours = world.add_connections({.ns = "team-a"});
    const auto others = world.add_connections({.ns = "team-a", .count = later});
    verdict.expect(world.start(), "it does not begin");
    world.rotate(0, count);
    world.advance(seconds(91));
    world.rotate(ours);
    world.advance(seconds(30));
    world.rotate(others, later);
    world.advance_until([&] { return world.all_in_step(); }, minutes(7));
    const Traffic& traffic = world.omni.traffic;
    const auto* push = traffic.first(world.requests_for(ours, 1));
    const auto turn = push != nullptr ? push->time : world.now();
    const auto after = world.requests_for(0, count);
    const auto before = world.requests_for(others, later);
    const auto late = traffic.count(requests::at(turn, world.now(), after));
    const auto early = traffic.count(requests::at(world.begin, turn, before));
    verdict.note("earlier ones that came after it", double(late));
    verdict.note("later ones that came before it", double(early));
    verdict.expect(late <= side_by_side && early <= side_by_side,
                   "rotations of a namespace do not go in their order");
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
    judge_use(verdict, traffic.times(requests::any), usual_limit);
}

// Settings that wait longest get every tenth slot, however many rotations come.
void tenth_slot(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t roles = 200;
    constexpr std::size_t count = 300;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = roles, .manages = Manages::role});
    const auto rotated = world.add_connections({.ns = "team-a", .count = count});
    verdict.expect(world.start(), "it does not begin");
    for (std::size_t place = 0; place < roles; ++place)
        world.set_role(place, "QUERIER");
    world.advance(seconds(10));
    const auto from = world.now();
    world.rotate(rotated, count);
    world.advance_until([&] { return world.all_in_step(); }, minutes(12));
    const Traffic& traffic = world.omni.traffic;
    const auto last = traffic.times(rotates).back();
    const double share = double(traffic.count(requests::at(from, last, sets_role))) /
                         double(traffic.count(requests::at(from, last, requests::pushes)));
    verdict.note("share of the settings, %", 100 * share);
    verdict.expect(share >= 0.08 && share <= 0.12, "settings do not get every tenth slot");
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
}

// Two OmniInstances have the same key: together they keep to the lower limit.
void shared_key(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t lower = 40;
    constexpr std::size_t count = 150;
    BudgetWorld world(settings.seed, limits_of(settings.variant, lower), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_instance("team-b", lower);
    world.add_connections({.ns = "team-a", .count = count});
    world.add_connections({.ns = "team-b", .count = count, .instance_ns = "team-b"});
    verdict.expect(world.start(), "it does not begin");
    world.rotate(0, 2 * count);
    world.advance(minutes(3));
    const auto first = world.omni.traffic.count(world.requests_for(0, count));
    const auto second = world.omni.traffic.count(world.requests_for(count, count));
    verdict.note("after 3 minutes", double(first));
    verdict.note("and", double(second));
    verdict.expect(std::max(first, second) - std::min(first, second) <= lower,
                   "one instance gets more than the other");
    world.advance_until([&] { return world.all_in_step(); }, minutes(8));
    judge_delivery(verdict, world);
    judge_limit(verdict, world, lower);
    judge_use(verdict, world.omni.traffic.times(requests::any), lower);
}

// One list for each interval, however many connections are compared with it.
void drift(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t count = 300;
    constexpr std::size_t changed = 30;
    constexpr int quiet_minutes = 10;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    const bool two = settings.variant == "two-instances";
    if (two)
        world.add_instance("team-b", usual_limit);
    for (const bool second : {false, true})
        world.add_connections({.ns = "team-a",
                               .count = count / 2,
                               .manages = Manages::both,
                               .instance_ns = two && second ? "team-b" : "team-a",
                               .drift_check_interval = "1m"});
    verdict.expect(world.start(), "it does not begin");
    world.advance(minutes(quiet_minutes));
    Traffic& traffic = world.omni.traffic;
    const auto lists = traffic.count(requests::lists);
    verdict.note("lists in 10 minutes", double(lists));
    verdict.expect(lists + 1 >= quiet_minutes && lists <= quiet_minutes + 1,
                   "not one list for each interval");
    verdict.expect(traffic.count(requests::pushes) == 0, "pushes though nothing changed");
    for (std::size_t place = 0; place < changed; ++place) {
        auto held =
            world.omni.engine.model().connections().at(world.objects()[place].connection_id);
        held.base_role = "CONNECTION_ADMIN";
        world.omni.engine.model().put_connection(std::move(held));
    }
    const auto from = world.now();
    const auto pace = minutes(1) / (0.9 * usual_limit);
    // A credential is not sent again with a setting that drifted.
    world.advance_until([&] { return world.all_in_step(); }, minutes(5));
    const auto corrections = traffic.times(requests::pushes);
    verdict.expect(corrections.size() == changed,
                   std::to_string(corrections.size()) + " corrections");
    verdict.expect(traffic.count(rotates) == 0, "a credential is sent with a correction");
    const auto all = corrections.empty() ? minutes(5) : corrections.back() - from;
    verdict.note("last correction after, s", in_seconds(all));
    verdict.expect(all <= minutes(1) + changed * pace + seconds(5), "corrections come late");
    if (corrections.size() > 1)
        verdict.note("shortest time between two, s", in_seconds(least_gap(corrections)));
    // On their way they may come a little nearer to each other.
    verdict.expect(least_gap(corrections) >= pace - milliseconds(50), "corrections are not paced");
    world.advance(minutes(3));
    judge_delivery(verdict, world, changed);
    judge_limit(verdict, world, usual_limit);
}

} // namespace

std::span<const BudgetCase> pace_cases() {
    static const std::vector<BudgetCase> cases{
        {.name = "rotations",
         .what = "300 credentials rotated at once",
         .variants = {"sliding", "sliding-counted", "fixed"},
         .run = rotations},
        {.name = "second-client",
         .what = "900 rotations, and another client takes half of the limit",
         .variants = {"sliding", "sliding-counted", "fixed"},
         .run = second_client},
        {.name = "rotation-in-backlog",
         .what = "rotations amid 1,000 role changes",
         .variants = {"other-namespace", "same-namespace"},
         .run = rotation_in_backlog},
        {.name = "behind-other-namespace",
         .what = "rotations behind 300 of another namespace",
         .variants = {"sliding"},
         .run = behind_other_namespace},
        {.name = "behind-same-namespace",
         .what = "a rotation behind 300 of its namespace",
         .variants = {"sliding"},
         .run = behind_same_namespace},
        {.name = "tenth-slot",
         .what = "200 role changes, then 300 rotations",
         .variants = {"sliding"},
         .run = tenth_slot},
        {.name = "shared-key",
         .what = "two instances with one key",
         .variants = {"sliding", "fixed"},
         .run = shared_key},
        {.name = "drift",
         .what = "300 connections compared every minute",
         .variants = {"sliding", "two-instances"},
         .run = drift},
    };
    return cases;
}

} // namespace oco::sim
