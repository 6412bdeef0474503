// Many runs, spread over processes: a run that breaks an assertion takes only its process with it.
#pragma once

#include "scenario.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oco::sim {

struct Seeds {
    std::uint64_t first = 1;
    std::uint64_t last = 1;
};

// "A..B", A <= B, A > 0.
std::optional<Seeds> parse_seeds(std::string_view text);

enum class StopAt { last_seed, first_failure };

struct Runs {
    std::vector<Report> reports;

    [[nodiscard]] const Report* first_failure() const;

    [[nodiscard]] bool good() const { return !reports.empty() && first_failure() == nullptr; }
};

// With StopAt::last_seed, prints the complaints of each seed and how to run it alone.
Runs run_seeds(const Seeds& seeds, unsigned jobs, StopAt stop);

void print_complaints(const Report& report);
// One line with the sums.
std::string summary(const std::vector<Report>& reports);
// How often each situation was met: a line for each.
std::string coverage_table(const std::vector<Report>& reports);
// Those that were not.
std::vector<std::string_view> never_met(const std::vector<Report>& reports);

} // namespace oco::sim
