#include "runs.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <iomanip>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace oco::sim {
namespace {

constexpr std::array numbers{&Report::kube_faults,
                             &Report::omni_faults,
                             &Report::process_faults,
                             &Report::tenants,
                             &Report::instances,
                             &Report::objects,
                             &Report::deleted_instances,
                             &Report::remade_instances,
                             &Report::rotations,
                             &Report::pushes,
                             &Report::repeated,
                             &Report::unknown,
                             &Report::lost,
                             &Report::stale,
                             &Report::foreign,
                             &Report::synced,
                             &Report::vouched,
                             &Report::crashes,
                             &Report::leaders,
                             &Report::relists,
                             &Report::kube_requests,
                             &Report::omni_requests};

// A report as a line: the seed, the hours, the numbers, and each complaint after a tab.
std::string to_line(const Report& report) {
    std::ostringstream out;
    out << report.seed << ' ' << report.virtual_hours;
    for (const auto number : numbers)
        out << ' ' << report.*number;
    for (const auto count : report.coverage.counts)
        out << ' ' << count;
    for (std::string what : report.complaints) {
        std::ranges::replace(what, '\n', ' ');
        std::ranges::replace(what, '\t', ' ');
        out << '\t' << what;
    }
    out << '\n';
    return out.str();
}

Report from_line(const std::string& line) {
    Report report;
    const auto tab = std::min(line.find('\t'), line.size());
    std::istringstream in(line.substr(0, tab));
    in >> report.seed >> report.virtual_hours;
    for (const auto number : numbers)
        in >> report.*number;
    for (auto& count : report.coverage.counts)
        in >> count;
    for (auto at = tab; at < line.size();) {
        const auto end = std::min(line.find('\t', at + 1), line.size());
        report.complaints.push_back(line.substr(at + 1, end - at - 1));
        at = end;
    }
    return report;
}

void write_all(int pipe, const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
        const auto n = ::write(pipe, text.data() + done, text.size() - done);
        if (n <= 0)
            ::_exit(1);
        done += static_cast<std::size_t>(n);
    }
}

// A child that runs every `jobs`-th seed. It says which seed it begins, so that one that it does
// not survive is known.
struct Worker {
    pid_t pid = -1;
    std::FILE* lines = nullptr;
};

Worker start_worker(const Seeds& seeds, unsigned number, unsigned jobs, StopAt stop) {
    int ends[2];
    if (::pipe(ends) != 0)
        throw std::runtime_error("pipe");
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close(ends[0]);
        for (auto seed = seeds.first + number; seed <= seeds.last; seed += jobs) {
            write_all(ends[1], "begin " + std::to_string(seed) + "\n");
            const Report report = run_scenario(seed, {});
            write_all(ends[1], to_line(report));
            if (stop == StopAt::first_failure && !report.complaints.empty())
                break;
        }
        ::_exit(0);
    }
    ::close(ends[1]);
    return {.pid = pid, .lines = ::fdopen(ends[0], "r")};
}

// Reads what a worker has to tell until it ends, or until `stop` says that is enough.
void collect(Worker& worker, Runs& runs, StopAt stop) {
    char* buffer = nullptr;
    std::size_t size = 0;
    std::uint64_t begun = 0;
    for (ssize_t n = 0; (n = ::getline(&buffer, &size, worker.lines)) > 0;) {
        const std::string line(buffer, static_cast<std::size_t>(n) - 1);
        if (line.starts_with("begin ")) {
            begun = std::stoull(line.substr(6));
            continue;
        }
        Report report = from_line(line);
        begun = 0;
        if (stop == StopAt::last_seed)
            print_complaints(report);
        runs.reports.push_back(std::move(report));
    }
    std::free(buffer);
    std::fclose(worker.lines);
    int status = 0;
    ::waitpid(worker.pid, &status, 0);
    if (begun != 0) {
        Report report{.seed = begun};
        report.complaints.push_back(
            WIFSIGNALED(status) ? "it ended with signal " + std::to_string(WTERMSIG(status))
                                : "it ended with exit code " + std::to_string(WEXITSTATUS(status)));
        if (stop == StopAt::last_seed)
            print_complaints(report);
        runs.reports.push_back(std::move(report));
    }
}

} // namespace

std::optional<Seeds> parse_seeds(std::string_view text) {
    Seeds seeds;
    const auto dots = text.find("..");
    if (dots == std::string_view::npos)
        return std::nullopt;
    const auto read = [](std::string_view digits, std::uint64_t& out) {
        const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
        return ec == std::errc{} && end == digits.data() + digits.size();
    };
    if (!read(text.substr(0, dots), seeds.first) || !read(text.substr(dots + 2), seeds.last) ||
        seeds.first == 0 || seeds.last < seeds.first)
        return std::nullopt;
    return seeds;
}

const Report* Runs::first_failure() const {
    const Report* first = nullptr;
    for (const auto& report : reports)
        if (!report.complaints.empty() && (first == nullptr || report.seed < first->seed))
            first = &report;
    return first;
}

Runs run_seeds(const Seeds& seeds, unsigned jobs, StopAt stop) {
    std::vector<Worker> workers;
    workers.reserve(jobs);
    for (unsigned number = 0; number < jobs; ++number)
        workers.push_back(start_worker(seeds, number, jobs, stop));
    Runs runs;
    for (auto& worker : workers)
        collect(worker, runs, stop);
    return runs;
}

void print_complaints(const Report& report) {
    if (report.complaints.empty())
        return;
    std::printf("seed %lu failed; its story: operator_sim --seed %lu\n", report.seed, report.seed);
    for (const auto& what : report.complaints)
        std::printf("  %s\n", what.c_str());
}

Report sum_of(const std::vector<Report>& reports) {
    Report sum;
    for (const auto& report : reports) {
        sum.virtual_hours += report.virtual_hours;
        for (const auto number : numbers)
            sum.*number += report.*number;
        for (std::size_t i = 0; i < Coverage::size; ++i)
            sum.coverage.counts[i] += report.coverage.counts[i];
    }
    return sum;
}

std::string summary(const std::vector<Report>& reports) {
    const Report sum = sum_of(reports);
    const auto failed = std::ranges::count_if(
        reports, [](const Report& report) { return !report.complaints.empty(); });
    std::ostringstream out;
    out << reports.size() << " seeds, " << static_cast<std::uint64_t>(sum.virtual_hours)
        << " virtual hours, " << sum.tenants << " tenants, " << sum.instances << " instances, "
        << sum.objects << " objects; faults: " << sum.kube_faults << " of Kubernetes, "
        << sum.omni_faults << " of Omni, " << sum.process_faults << " of processes and instances, "
        << sum.crashes << " crashes, " << sum.deleted_instances << " instances deleted, "
        << sum.remade_instances << " made again; " << sum.leaders << " leaders, " << sum.relists
        << " lists, " << sum.rotations << " rotations, " << sum.pushes << " pushes, of them "
        << sum.unknown << " without an answer and " << sum.repeated
        << " repeated for a reason; seen Synced " << sum.synced << ", vouched " << sum.vouched
        << "; lost " << sum.lost << ", stale " << sum.stale << ", foreign " << sum.foreign
        << ", failed seeds " << failed;
    return out.str();
}

std::string coverage_table(const std::vector<Report>& reports) {
    const Report sum = sum_of(reports);
    std::ostringstream out;
    for (std::size_t i = 0; i < Coverage::size; ++i)
        out << std::setw(9) << sum.coverage.counts[i] << "  " << name_of(static_cast<Met>(i))
            << '\n';
    return out.str();
}

std::vector<std::string_view> never_met(const std::vector<Report>& reports) {
    const Report sum = sum_of(reports);
    std::vector<std::string_view> out;
    for (std::size_t i = 0; i < Coverage::size; ++i)
        if (sum.coverage.counts[i] == 0)
            out.push_back(name_of(static_cast<Met>(i)));
    return out;
}

} // namespace oco::sim
