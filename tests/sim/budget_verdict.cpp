#include "budget_verdict.hpp"

#include <cmath>
#include <map>
#include <set>

namespace oco::sim {
namespace {

std::string shown(double figure) {
    char text[32];
    std::snprintf(text, sizeof text, figure == std::floor(figure) ? "%.0f" : "%.2f", figure);
    return text;
}

// Values of a connection are numbered in their order, in as many digits.
void judge_order(Verdict& verdict, const Traffic& traffic) {
    std::map<std::string, std::string> newest;
    for (const auto& one : traffic.all()) {
        if (one.push.value.empty())
            continue;
        std::string& known = newest[one.push.connection_id];
        if (one.push.value < known)
            ++verdict.figures.stale;
        known = std::max(known, one.push.value);
    }
    verdict.expect(verdict.figures.stale == 0, std::to_string(verdict.figures.stale) +
                                                   " pushes of an older value after a newer one");
}

void judge_repeats(Verdict& verdict, const Traffic& traffic, std::size_t repeats) {
    std::map<std::string, Push> accepted;
    for (const auto& one : traffic.all()) {
        if (!requests::pushes(one) || !one.accepted())
            continue;
        Push& before = accepted[one.push.connection_id];
        const bool tells = (!one.push.value.empty() && one.push.value != before.value) ||
                           (!one.push.base_role.empty() && one.push.base_role != before.base_role);
        verdict.figures.repeated += tells ? 0 : 1;
        if (!one.push.value.empty())
            before.value = one.push.value;
        if (!one.push.base_role.empty())
            before.base_role = one.push.base_role;
    }
    verdict.expect(verdict.figures.repeated <= repeats, std::to_string(verdict.figures.repeated) +
                                                            " pushes of what was accepted, " +
                                                            std::to_string(repeats) + " may be");
}

} // namespace

void Verdict::expect(bool holds, std::string otherwise) {
    constexpr std::size_t most = 20;
    if (!holds && complaints_.size() < most)
        complaints_.push_back(std::move(otherwise));
}

void Verdict::note(const std::string& name, double figure) {
    figures.more += ", " + name + " " + shown(figure);
}

emulator::Limits limits_of(std::string_view variant, std::size_t requests_per_minute) {
    const auto says = [variant](std::string_view word) {
        return variant.find(word) != std::string_view::npos;
    };
    return {.requests_per_minute = requests_per_minute,
            .window = says("fixed") ? emulator::RateWindow::fixed : emulator::RateWindow::sliding,
            .count_refused = says("counted")};
}

void judge_delivery(Verdict& verdict, BudgetWorld& world, std::size_t repeats) {
    for (std::size_t place = 0; place < world.objects().size(); ++place) {
        const auto& name = world.objects()[place].name;
        const bool delivered = world.delivered(place);
        verdict.figures.lost += delivered ? 0 : 1;
        verdict.expect(delivered, name + ": LOST, Omni has older values; " + world.reason(place));
        verdict.expect(!delivered || world.in_step(place),
                       name + ": delivered, but its status does not say so; " +
                           world.reason(place));
    }
    judge_order(verdict, world.omni.traffic);
    judge_repeats(verdict, world.omni.traffic, repeats);
    for (const auto& line : world.log_complaints())
        verdict.expect(false, line);
}

void judge_limit(Verdict& verdict, const BudgetWorld& world, std::size_t limit,
                 Allowance allowance) {
    const Traffic& traffic = world.omni.traffic;
    auto& figures = verdict.figures;
    figures.requests = traffic.all().size();
    figures.refused = traffic.count(requests::refused);
    figures.kube = world.kube.counts.requests;
    std::map<std::string, std::vector<rt::TimePoint>> by_key;
    for (const auto& one : traffic.all())
        by_key[one.token].push_back(one.time);
    for (const auto& [key, times] : by_key)
        figures.largest_window =
            std::max(figures.largest_window, largest_window(times, std::chrono::minutes(1)));
    const std::size_t most = limit + allowance.untold - std::min(allowance.untold, limit / 10);
    verdict.expect(figures.largest_window <= most, std::to_string(figures.largest_window) +
                                                       " requests within a minute, at most " +
                                                       std::to_string(most) + " may be");
    verdict.expect(allowance.refusals == Refusals::may_be || most > limit || figures.refused == 0,
                   std::to_string(figures.refused) + " requests were answered by 429");
}

void judge_use(Verdict& verdict, const std::vector<rt::TimePoint>& times, std::size_t limit) {
    verdict.figures.used = least_used(times, limit);
    verdict.expect(verdict.figures.used >= least_share,
                   "only " + shown(100 * verdict.figures.used) + " % of the limit are used, of " +
                       std::to_string(times.size()) + " requests");
}

void judge_refused_key(Verdict& verdict, BudgetWorld& world, rt::Duration duration) {
    constexpr rt::Duration window = std::chrono::seconds(59);
    const auto from = world.now();
    world.advance(duration);
    const auto times = world.omni.traffic.times(requests::at(from, world.now(), requests::any));
    const auto most = largest_window(times, window);
    verdict.note("tries", double(times.size()));
    verdict.note("most in 59 s", double(most));
    verdict.expect(most <= 1, "a key that is refused is tried more than once a minute");
    verdict.expect(times.size() + 2 >= static_cast<std::size_t>(duration / std::chrono::minutes(1)),
                   "a key that is refused is tried less than once a minute");
    std::size_t ready = 0;
    for (std::size_t place = 0; place < world.objects().size(); ++place)
        ready += world.ready(place) ? 1 : 0;
    verdict.expect(ready == 0, std::to_string(ready) + " are Ready though the key is refused");
}

double in_seconds(rt::Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

} // namespace oco::sim
