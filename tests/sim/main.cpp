// The simulation's command line.
#include "mutation.hpp"
#include "mutation_seeds.hpp"
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

// So many seeds meet every situation that the contract has a rule for.
constexpr std::size_t enough_for_all_rules = 200;

int run_many(const Seeds& seeds, unsigned jobs) {
    const Runs runs = run_seeds(seeds, jobs, StopAt::last_seed);
    std::printf("%s", coverage_table(runs.reports).c_str());
    const auto missed = never_met(runs.reports);
    const bool too_few = runs.reports.size() < enough_for_all_rules;
    for (const auto& what : missed)
        if (!too_few)
            std::printf("never met: %s\n", std::string(what).c_str());
    std::printf("simulation: %s\n", summary(runs.reports).c_str());
    return runs.good() && (too_few || missed.empty()) ? 0 : 1;
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

// Of the mutation that was chosen: by the seed that found it last, or else by a search.
std::optional<Report> find_again(std::string_view name, MutationSeeds& known, const Seeds& seeds,
                                 unsigned jobs, std::size_t& searched) {
    const auto last = known.find(name);
    if (last != known.end()) {
        if (auto found = find_failure({.first = last->second, .last = last->second}, 1))
            return found;
        std::printf("%-24s seed %lu finds it no more: searching\n", std::string(name).c_str(),
                    last->second);
    }
    ++searched;
    auto found = find_failure(seeds, jobs);
    if (found)
        known.insert_or_assign(std::string(name), found->seed);
    return found;
}

void print_verdict(std::string_view name, const std::optional<Report>& found) {
    std::printf("%-24s ", std::string(name).c_str());
    if (found)
        std::printf("seed %lu: %s\n", found->seed,
                    found->complaints.front().substr(0, 110).c_str());
    else
        std::puts("NOT FOUND");
    std::fflush(stdout);
}

// Each mutation has to be found by one of the seeds.
int run_mutations(const Seeds& seeds, unsigned jobs, const std::string& known_file,
                  const std::string& update_file) {
    MutationSeeds known;
    if (!known_file.empty()) {
        auto read = read_mutation_seeds(known_file);
        if (!read)
            return 2;
        known = std::move(*read);
    }
    std::size_t count = 0;
    std::size_t missed = 0;
    std::size_t searched = 0;
    for (const Mutation& mutation : all_mutations()) {
        if (mutation.found_by != FoundBy::seed)
            continue;
        ++count;
        choose_mutation(mutation.name);
        const auto found = find_again(mutation.name, known, seeds, jobs, searched);
        missed += found ? 0 : 1;
        print_verdict(mutation.name, found);
    }
    std::printf("mutations: %zu of %zu found, %zu of them by the seed that is kept\n",
                count - missed, count, count - searched);
    if (!update_file.empty() && !write_mutation_seeds(update_file, known)) {
        std::fprintf(stderr, "%s can't be written\n", update_file.c_str());
        return 1;
    }
    if (searched > missed && !known_file.empty() && update_file.empty())
        std::printf(
            "the seeds that are kept are out of date; `--update-seeds %s` keeps the new ones\n",
            known_file.c_str());
    return missed == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    std::uint64_t seed = 0;
    std::string range;
    std::string mutation;
    bool mutations = false;
    std::string known_seeds;
    std::string update_seeds;
    unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
    CLI::App app("Runs the whole operator on virtual time, with faults by seed.");
    app.add_option("--seed", seed, "one run, with its story");
    app.add_option("--seeds", range, "A..B: many runs, with their sums");
    app.add_option("--mutation", mutation, "the operator does this one thing wrong");
    app.add_flag("--mutations", mutations, "with --seeds: each mutation until a seed finds it");
    app.add_option("--known-seeds", known_seeds,
                   "with --mutations: a file with the seed to try first for each");
    app.add_option("--update-seeds", update_seeds,
                   "with --mutations: write the seeds that found them to this file");
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
    return mutations ? run_mutations(*seeds, jobs, known_seeds, update_seeds)
                     : run_many(*seeds, jobs);
}
