// Crashes and outages.
#include "budget_verdict.hpp"

#include <algorithm>

namespace oco::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr rt::Duration request_deadline = seconds(10);
constexpr rt::Duration lease_runs_out = seconds(18);

bool says(std::string_view variant, std::string_view word) {
    return variant.find(word) != std::string_view::npos;
}

struct EndOfProcess {
    rt::TimePoint when{};
    bool crashed = false;
    std::size_t untold = 0; // requests of which nothing tells
};

// As the variant says.
EndOfProcess end_process(BudgetWorld& world, std::string_view variant) {
    EndOfProcess end{.when = world.now(), .crashed = says(variant, "crash")};
    if (end.crashed)
        end.untold = world.crash(seconds(5));
    else
        world.restart();
    return end;
}

// The process that comes five seconds after a crash leads when the Lease has run out, 15 s later
// and a pause between two looks. What is accepted in its first minute it sends twice: the last
// requests of the one before may land late.
std::size_t sent_twice(const Traffic& traffic, const EndOfProcess& end) {
    if (!end.crashed)
        return 0;
    const auto begins = end.when + seconds(5);
    return traffic.count(
        requests::at(begins, begins + lease_runs_out + minutes(1) + seconds(2),
                     [](const auto& one) { return requests::pushes(one) && one.accepted(); }));
}

// Sent but not recorded, it is sent again.
void judge_restart(Verdict& verdict, BudgetWorld& world, const EndOfProcess& end) {
    world.advance_until([&] { return world.all_in_step(); }, minutes(12));
    verdict.note("untold", double(end.untold));
    verdict.note("all in step after, s", in_seconds(world.now() - world.begin));
    judge_delivery(verdict, world, end.untold + sent_twice(world.omni.traffic, end));
    judge_limit(verdict, world, usual_limit, {.untold = end.untold});
}

// Slots of the first burst come free after 60.35 s, and are used until about 62 s. In that burst
// much is under way that no status tells of; late in it less; and later nothing.
rt::Duration end_of_process(std::string_view variant) {
    return says(variant, "late-in-burst") ? milliseconds(61'750)
           : says(variant, "in-burst")    ? milliseconds(61'000)
                                          : milliseconds(75'000);
}

// Amid 300 rotations.
void restart_rotations(const RunSettings& settings, Verdict& verdict) {
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = 300});
    verdict.expect(world.start(), "it does not begin");
    // Omni's minute ends while no process runs, so that it refuses nothing that the next sends.
    if (says(settings.variant, "fixed"))
        world.advance(minutes(1) - (world.now().time_since_epoch() + seconds(70)) % minutes(1));
    world.rotate(0, 300);
    world.advance(end_of_process(settings.variant) + (settings.seed - 1) * milliseconds(17));
    judge_restart(verdict, world, end_process(world, settings.variant));
}

// Amid role changes, and with rotations before and after.
void restart_roles(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t count = 300;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = count, .manages = Manages::role});
    const auto rotated = world.add_connections({.ns = "team-b", .count = 20});
    verdict.expect(world.start(), "it does not begin");
    for (std::size_t place = 0; place < count; ++place)
        world.set_role(place, "QUERIER");
    world.advance(seconds(80));
    world.rotate(rotated, 10);
    world.advance(milliseconds(300)); // some are answered, some under way
    const auto end = end_process(world, settings.variant);
    world.rotate(rotated + 5, 15);
    judge_restart(verdict, world, end);
}

// While the key is refused.
void restart_refused(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t rotated = 100;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = 2 * rotated});
    verdict.expect(world.start(), "it does not begin");
    world.revoke_key();
    world.rotate(0, rotated);
    world.advance(minutes(3));
    const auto ended = world.now();
    const auto old = world.omni.traffic.all().back().client;
    const auto end = end_process(world, settings.variant);
    const auto of_new_process = [&](const Received& one) {
        return one.client != old;
    };
    verdict.expect(
        world.advance_until([&] { return world.omni.traffic.first(of_new_process) != nullptr; },
                            minutes(1)),
        "the next process does not try the key");
    world.advance(seconds(2));
    const auto tries = world.omni.traffic.count(of_new_process);
    verdict.note("first tries of the next process", double(tries));
    verdict.expect(tries <= 2, "the next process tries the key more than twice");
    judge_refused_key(verdict, world, minutes(5));
    verdict.note("no process for, s",
                 in_seconds(world.omni.traffic.first(of_new_process)->time - ended));
    world.replace_key();
    judge_restart(verdict, world, end);
}

void begin_outage(BudgetWorld& world, std::string_view variant) {
    world.say("an outage begins");
    if (variant == "errors")
        world.omni.engine.faults().add(answering(503));
    if (variant == "unanswered")
        world.omni.engine.faults().add(never_answering());
    if (variant == "unreachable") {
        world.network().silence(omni_host);
        world.omni.accepts = Accept::never_answer;
    }
    if (variant == "connections-refused") {
        world.network().cut(omni_host);
        world.omni.accepts = Accept::refuse;
    }
}

void end_outage(BudgetWorld& world) {
    world.say("the outage is over");
    world.omni.engine.faults().clear();
    world.omni.accepts = Accept::yes;
}

// Neither a refusal nor an answer: one tries for all.
void outage(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t most_a_minute = 9;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = 300});
    verdict.expect(world.start(), "it does not begin");
    begin_outage(world, settings.variant);
    world.advance(seconds(1));
    world.rotate(0, 300);
    world.advance(minutes(1));
    const auto from = world.now();
    world.advance(minutes(9));
    const auto until = world.now();
    const Traffic& traffic = world.omni.traffic;
    const auto tried = requests::at(from, until, requests::any);
    auto tries = traffic.times(tried);
    for (const auto& knock : world.omni.knocks)
        if (knock >= from)
            tries.push_back(knock);
    std::ranges::sort(tries);
    const auto most = largest_window(tries, minutes(1));
    verdict.note("tries in 9 minutes", double(tries.size()));
    verdict.note("most a minute", double(most));
    verdict.expect(most <= most_a_minute, "more than a few requests a minute in an outage");
    verdict.expect(tries.size() >= 9, "hardly anything is tried in an outage");
    std::size_t told = 0;
    for (std::size_t place = 0; place < world.objects().size(); ++place)
        told += world.reason(place) == "OmniUnavailable" ? 1 : 0;
    verdict.note("OmniUnavailable", double(told));
    // But for the one that tries, whose answer is awaited.
    verdict.expect(told + 1 >= world.objects().size(), "not all that waits says OmniUnavailable");
    const auto at_once = traffic.most_at_once(tried, request_deadline);
    verdict.expect(at_once <= 1, std::to_string(at_once) + " tries at once");
    end_outage(world);
    world.advance_until([&] { return world.all_in_step(); }, minutes(8));
    const auto* first = traffic.first(
        requests::at(until, world.now(), [](const auto& one) { return one.accepted(); }));
    verdict.expect(first != nullptr, "nothing is sent after the outage");
    if (first == nullptr)
        return;
    verdict.note("goes on after, s", in_seconds(first->time - until));
    verdict.expect(first->time - until <= seconds(45), "the end of an outage goes unnoticed");
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
    // The slots of tries without an answer stay in use until this long after their deadline.
    const auto held =
        settings.variant == "unanswered" ? request_deadline + seconds(90) : seconds(0);
    judge_use(verdict, traffic.times(requests::at(first->time + held, world.now(), requests::any)),
              usual_limit);
}

} // namespace

std::span<const BudgetCase> trouble_cases() {
    static const std::vector<BudgetCase> cases{
        {.name = "restart-rotations",
         .what = "the process ends amid 300 rotations",
         .variants = {"crash-in-burst", "crash-in-burst-counted", "crash-in-burst-fixed",
                      "crash-late-in-burst", "crash-late-in-burst-fixed", "crash-later",
                      "stop-in-burst", "stop-later"},
         .run = restart_rotations},
        {.name = "restart-roles",
         .what = "the process ends amid 300 role changes and 20 rotations",
         .variants = {"crash", "stop"},
         .run = restart_roles},
        {.name = "restart-refused",
         .what = "the process ends while the key is refused",
         .variants = {"crash", "stop"},
         .run = restart_refused},
        {.name = "outage",
         .what = "ten minutes without Omni, and 300 rotations",
         .variants = {"errors", "unreachable", "connections-refused", "unanswered"},
         .run = outage},
    };
    return cases;
}

} // namespace oco::sim
