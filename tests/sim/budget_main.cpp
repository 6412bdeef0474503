// The command line of the budget simulation.
#include "budget_verdict.hpp"
#include "mutation.hpp"

#include <CLI/CLI.hpp>

#include <atomic>
#include <cstdio>
#include <new>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace oco::sim;

struct Run {
    const BudgetCase* its = nullptr;
    std::string_view variant;
};

// Of each case: all variants, the first one, or the others.
enum class Part { all, quick, rest };

std::vector<Run> chosen_runs(const std::string& name, const std::string& variant, Part part) {
    std::vector<Run> out;
    for (const auto cases : {pace_cases(), refusal_cases(), trouble_cases()})
        for (const BudgetCase& one : cases) {
            if (!name.empty() && name != one.name)
                continue;
            for (const auto& each : one.variants) {
                const Part its = each == one.variants[0] ? Part::quick : Part::rest;
                if ((variant.empty() || variant == each) && (part == Part::all || part == its))
                    out.push_back({.its = &one, .variant = each});
            }
        }
    return out;
}

std::string line_of(const Run& run, const Verdict& verdict) {
    const auto& its = verdict.figures;
    char used[32] = "-";
    if (its.used >= 0)
        std::snprintf(used, sizeof used, "%.1f %%", 100 * its.used);
    char line[256];
    std::snprintf(line, sizeof line,
                  "%-4s %-22s %-22s requests %4zu, 429s %zu, largest window %2zu, used %s, lost "
                  "%zu, stale %zu, repeated %zu, kube %zu",
                  verdict.complaints().empty() ? "ok" : "FAIL", std::string(run.its->name).c_str(),
                  std::string(run.variant).c_str(), its.requests, its.refused, its.largest_window,
                  used, its.lost, its.stale, its.repeated, its.kube);
    return line + its.more + "\n";
}

// What all runs come to. Each is a process of its own, so that it adds to memory that they share.
struct Sums {
    std::atomic<std::size_t> requests, refused, lost, stale;

    void add(const Verdict& verdict) {
        requests += verdict.figures.requests;
        refused += verdict.figures.refused;
        lost += verdict.figures.lost;
        stale += verdict.figures.stale;
    }
};

Sums& shared_sums() {
    static auto* const sums = [] {
        void* const memory = ::mmap(nullptr, sizeof(Sums), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            throw std::bad_alloc();
        return ::new (memory) Sums();
    }();
    return *sums;
}

bool carry_out(const Run& run, std::uint64_t seed, bool trace) {
    Verdict verdict;
    run.its->run({.variant = run.variant,
                  .seed = seed,
                  .trace = trace ? Trace([](const std::string& line) { std::puts(line.c_str()); })
                                 : Trace()},
                 verdict);
    shared_sums().add(verdict);
    std::string text = line_of(run, verdict);
    for (const auto& what : verdict.complaints())
        text += "     " + what + "\n";
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
    return verdict.complaints().empty();
}

// A process for each run: one that breaks an assertion takes no other with it.
bool carry_out_all(const std::vector<Run>& runs, std::uint64_t seed, unsigned jobs) {
    const Sums& sums = shared_sums(); // before the first process
    std::size_t next = 0;
    std::size_t failed = 0;
    for (unsigned running = 0; next < runs.size() || running > 0;) {
        if (next < runs.size() && running < jobs) {
            std::fflush(stdout);
            if (::fork() == 0) {
                ::prctl(PR_SET_PDEATHSIG, SIGKILL);
                ::_exit(carry_out(runs[next], seed, false) ? 0 : 1);
            }
            ++next;
            ++running;
            continue;
        }
        int status = 0;
        ::wait(&status);
        --running;
        failed += status == 0 ? 0 : 1;
        if (WIFSIGNALED(status))
            std::printf("FAIL a run ended with signal %d\n", WTERMSIG(status));
    }
    std::printf(
        "budget: %zu runs, %zu requests, %zu of them answered 429, lost %zu, stale %zu; %zu "
        "runs failed\n",
        runs.size(), sums.requests.load(), sums.refused.load(), sums.lost.load(), sums.stale.load(),
        failed);
    return failed == 0 && !runs.empty();
}

void list_cases() {
    for (const auto cases : {pace_cases(), refusal_cases(), trouble_cases()})
        for (const BudgetCase& one : cases) {
            std::printf("%-22s %s:", std::string(one.name).c_str(), std::string(one.what).c_str());
            for (const auto& variant : one.variants)
                std::printf(" %s", std::string(variant).c_str());
            std::puts("");
        }
}

} // namespace

int main(int argc, char** argv) {
    std::string name;
    std::string variant;
    std::string mutation;
    std::uint64_t seed = 1;
    bool trace = false;
    bool list = false;
    bool quick = false;
    bool rest = false;
    unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
    CLI::App app("Runs the whole operator against Omni's limits, with many connections.");
    app.add_option("--case", name, "this one alone");
    app.add_option("--variant", variant, "this one alone");
    app.add_option("--mutation", mutation, "the operator does this one thing wrong");
    app.add_option("--seed", seed, "other delays");
    app.add_option("--jobs", jobs, "processes to run side by side");
    app.add_flag("--trace", trace, "with the story of each run");
    app.add_flag("--list", list, "the cases and their variants");
    auto* quick_flag = app.add_flag("--quick", quick, "one variant of each case");
    app.add_flag("--rest", rest, "the other variants")->excludes(quick_flag);
    CLI11_PARSE(app, argc, argv);
    if (list) {
        list_cases();
        return 0;
    }
    const Part part = quick ? Part::quick : rest ? Part::rest : Part::all;
    const auto runs = chosen_runs(name, variant, part);
    if (!choose_mutation(mutation) || runs.empty()) {
        std::fprintf(stderr, "no such %s\n", runs.empty() ? "case or variant" : "mutation");
        return 2;
    }
    if (!trace)
        return carry_out_all(runs, seed, jobs) ? 0 : 1;
    bool good = true;
    for (const Run& run : runs)
        good = carry_out(run, seed, true) && good;
    return good ? 0 : 1;
}
