// The simulation's command line.
#include "mutation.hpp"
#include "runs.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>

namespace {

using namespace oco::sim;

void print_trace(const std::string& line) {
    std::puts(line.c_str());
}

int run_one(std::uint64_t seed) {
    const Report report = run_scenario(seed, print_trace);
    print_complaints(report);
    std::puts(summary({report}).c_str());
    return report.complaints.empty() ? 0 : 1;
}

int run_many(const Seeds& seeds, unsigned jobs) {
    const Runs runs = run_seeds(seeds, jobs, StopAt::last_seed);
    std::printf("simulation: %s\n", summary(runs.reports).c_str());
    return runs.good() ? 0 : 1;
}

// The first seed that finds the mutation. A few at a time, so that no process goes on alone.
std::optional<Report> find_failure(const Seeds& seeds, unsigned jobs) {
    constexpr std::uint64_t at_a_time = 40;
    for (auto first = seeds.first; first <= seeds.last; first += at_a_time) {
        const Seeds some{.first = first, .last = std::min(seeds.last, first + at_a_time - 1)};
        const Runs runs = run_seeds(some, jobs, StopAt::first_failure);
        if (const auto* found = runs.first_failure())
            return *found;
    }
    return std::nullopt;
}

// Each mutation has to be found by one of the seeds.
int run_mutations(const Seeds& seeds, unsigned jobs) {
    std::size_t missed = 0;
    for (const Mutation& mutation : all_mutations()) {
        choose_mutation(mutation.name);
        const auto found = find_failure(seeds, jobs);
        missed += found ? 0 : 1;
        std::printf("%-24s %s\n", std::string(mutation.name).c_str(),
                    found ? ("seed " + std::to_string(found->seed) + ": " +
                             found->complaints.front().substr(0, 110))
                                .c_str()
                          : "NOT FOUND");
    }
    std::printf("mutations: %zu of %zu found\n", all_mutations().size() - missed,
                all_mutations().size());
    return missed == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    std::uint64_t seed = 0;
    std::string range;
    std::string mutation;
    bool mutations = false;
    unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
    CLI::App app("Runs the whole operator on virtual time, with faults by seed.");
    app.add_option("--seed", seed, "one run, with its story");
    app.add_option("--seeds", range, "A..B: many runs, with their sums");
    app.add_option("--mutation", mutation, "the operator does this one thing wrong");
    app.add_flag("--mutations", mutations, "with --seeds: each mutation until a seed finds it");
    app.add_option("--jobs", jobs, "processes to run side by side");
    CLI11_PARSE(app, argc, argv);
    if (!choose_mutation(mutation)) {
        for (const auto& known : all_mutations())
            std::fprintf(stderr, "%s: %s\n", std::string(known.name).c_str(),
                         std::string(known.what).c_str());
        return 2;
    }
    if (seed != 0)
        return run_one(seed);
    const auto seeds = parse_seeds(range);
    if (!seeds) {
        std::fprintf(stderr, "--seed N, or --seeds A..B\n");
        return 2;
    }
    return mutations ? run_mutations(*seeds, jobs) : run_many(*seeds, jobs);
}
