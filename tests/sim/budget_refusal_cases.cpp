// What Omni refuses, and whom that holds up.
#include "budget_verdict.hpp"

namespace oco::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// A key that Omni does not accept is tried once a minute, however many connections wait for it.
void revoked_key(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t rotated = 300;
    constexpr std::size_t in_step = 700;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = rotated + in_step});
    verdict.expect(world.start(), "it does not begin");
    if (settings.variant == "in-backlog") {
        world.rotate(0, rotated);
        world.advance(seconds(20));
        world.revoke_key();
    } else {
        world.revoke_key();
        world.rotate(0, rotated);
    }
    const auto revoked = world.now();
    verdict.expect(
        world.advance_until([&] { return world.instance_reason("team-a") == "Unauthorized"; },
                            minutes(2)),
        "the key is not said to be refused");
    verdict.note("Unauthorized after, s", in_seconds(world.now() - revoked));
    world.advance(seconds(2));
    judge_refused_key(verdict, world, minutes(10));

    world.replace_key();
    const auto replaced = world.now();
    const bool soon =
        world.advance_until([&] { return world.all_in_step(rotated, in_step); }, seconds(10));
    verdict.expect(soon, "what is in step is not Ready 10 s after the key is good");
    verdict.note("Ready after, s", in_seconds(world.now() - replaced));
    world.advance_until([&] { return world.all_in_step(); }, minutes(8));
    const Traffic& traffic = world.omni.traffic;
    verdict.expect(traffic.count(world.requests_for(rotated, in_step)) == 0,
                   "what is in step is sent again");
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
    if (settings.variant == "rotated-after")
        judge_use(verdict, traffic.times(requests::at(replaced, world.now(), requests::any)),
                  usual_limit);
}

// What is wrong with one connection is its own affair.
void failing_one(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t others = 99;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    const auto bad = world.add_connections({.ns = "team-a"});
    const auto good = world.add_connections({.ns = "team-a", .count = others});
    verdict.expect(world.start(), "it does not begin");
    const bool forbidden = settings.variant == "forbidden";
    if (forbidden)
        world.restrict_key(bad);
    else
        world.omni.engine.faults().add(answering(500, world.objects()[bad].connection_id));
    world.rotate(0, others + 1);
    // In the first minute 60 go, the others as soon as slots are free again.
    world.advance_until([&] { return world.all_in_step(good, others); }, minutes(5));
    const auto took = in_seconds(world.now() - world.begin);
    verdict.note("the others took, s", took);
    verdict.expect(took <= 63, "the others are held up");
    rt::Duration longest{};
    for (std::size_t i = 0; i < 30; ++i) {
        world.advance(seconds(20));
        longest = std::max(longest, world.time_of_rotation(good + i));
    }
    verdict.note("longest wait of another, s", in_seconds(longest));
    verdict.expect(longest <= seconds(1), "a rotation is held up by another connection");
    verdict.note("requests for it", double(world.omni.traffic.count(world.requests_for(bad, 1))));
    const std::string expected = forbidden ? "Forbidden" : "OmniUnavailable";
    verdict.expect(world.reason(bad) == expected,
                   "the failing one is " + world.reason(bad) + ", not " + expected);
    verdict.expect(world.instance_reason("team-a") == "Synced",
                   "the instance is " + world.instance_reason("team-a"));
    // The cause is removed; a slow probe comes every ten minutes.
    world.omni.engine.faults().clear();
    world.omni.engine.model().set_tokens({{.text = world.key()}});
    world.advance_until([&] { return world.all_in_step(); }, minutes(11));
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
}

// A role that Omni refuses does not hold up the password beside it.
void misspelt_role(const RunSettings& settings, Verdict& verdict) {
    constexpr std::size_t misspelt = 10;
    constexpr std::size_t count = 20;
    BudgetWorld world(settings.seed, limits_of(settings.variant, usual_limit), settings.trace);
    world.add_instance("team-a", usual_limit);
    world.add_connections({.ns = "team-a", .count = count, .manages = Manages::both});
    verdict.expect(world.start(), "it does not begin");
    world.rotate(0, count);
    for (std::size_t place = 0; place < misspelt; ++place)
        world.set_role(place, "QUERRIER");
    world.advance(seconds(10));
    const auto sent = world.omni.traffic.all().size();
    const auto& held = world.omni.engine.model().connections();
    std::size_t rejected = 0;
    for (std::size_t place = 0; place < count; ++place) {
        const auto& object = world.objects()[place];
        verdict.expect(held.at(object.connection_id).password == object.value,
                       object.name + ": the password is not in Omni");
        rejected += world.reason(place) == "Rejected" ? 1 : 0;
    }
    verdict.note("rejected", double(rejected));
    verdict.expect(rejected == misspelt, "not just what is misspelt is Rejected");
    verdict.expect(sent <= count + misspelt, std::to_string(sent) + " requests");
    world.advance(minutes(5));
    verdict.expect(world.omni.traffic.all().size() == sent, "it is sent again though refused");
    const auto corrected = world.now();
    for (std::size_t place = 0; place < misspelt; ++place)
        world.set_role(place, "QUERIER");
    world.advance_until([&] { return world.all_in_step(); }, minutes(2));
    verdict.note("Ready after the correction, s", in_seconds(world.now() - corrected));
    verdict.expect(world.now() - corrected <= seconds(15), "a corrected role waits");
    judge_delivery(verdict, world);
    judge_limit(verdict, world, usual_limit);
}

} // namespace

std::span<const BudgetCase> refusal_cases() {
    static const std::vector<BudgetCase> cases{
        {.name = "revoked-key",
         .what = "1,000 connections behind a key that Omni does not accept",
         .variants = {"rotated-after", "in-backlog"},
         .run = revoked_key},
        {.name = "failing-one",
         .what = "one connection that fails, among 100",
         .variants = {"error-500", "forbidden"},
         .run = failing_one},
        {.name = "misspelt-role",
         .what = "a role that Omni refuses, beside a new password",
         .variants = {"sliding"},
         .run = misspelt_role},
    };
    return cases;
}

} // namespace oco::sim
