#include "ops/process_metrics.hpp"

#include "base/number.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace oco::ops {
namespace {

// When the machine started, in Unix time. Read once: the kernel sums up every processor's
// interrupts for this file, which takes milliseconds on large machines.
std::optional<double> boot_time() {
    static const auto time = []() -> std::optional<double> {
        constexpr std::string_view key = "btime ";
        std::ifstream file("/proc/stat");
        for (std::string line; std::getline(file, line);)
            if (line.starts_with(key))
                return parse_number<std::uint64_t>(std::string_view(line).substr(key.size()));
        return std::nullopt;
    }();
    return time;
}

std::optional<double> count_open_fds() {
    std::error_code error;
    std::filesystem::directory_iterator entry("/proc/self/fd", error);
    double count = -1; // the directory itself is open while it is read
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error))
        ++count;
    return error ? std::nullopt : std::optional(count);
}

} // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
    const auto command_end = text.rfind(')');
    if (command_end == std::string_view::npos || command_end + 2 > text.size())
        return std::nullopt;
    text.remove_prefix(command_end + 2);
    constexpr int first = 3; // proc(5) counts from 1: pid, (command), state, ...
    constexpr int last = 24;
    std::array<std::string_view, last + 1> columns;
    for (int i = first; i <= last; ++i) {
        const auto end = std::min(text.find_first_of(" \n"), text.size());
        columns[static_cast<std::size_t>(i)] = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const auto user = parse_number<std::uint64_t>(columns[14]);
    const auto system = parse_number<std::uint64_t>(columns[15]);
    const auto start = parse_number<std::uint64_t>(columns[22]);
    const auto virtual_bytes = parse_number<std::uint64_t>(columns[23]);
    const auto resident = parse_number<std::uint64_t>(columns[24]);
    if (!user || !system || !start || !virtual_bytes || !resident)
        return std::nullopt;
    return ProcessStat{.cpu_ticks = *user + *system,
                       .start_ticks = *start,
                       .virtual_bytes = *virtual_bytes,
                       .resident_pages = *resident};
}

ProcessUsage read_process_usage() {
    ProcessUsage usage;
    std::string text;
    std::ifstream file("/proc/self/stat");
    std::getline(file, text, '\0'); // whole: a command may hold line breaks
    if (const auto stat = parse_process_stat(text)) {
        const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
        const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
        usage.cpu_seconds = static_cast<double>(stat->cpu_ticks) / ticks_per_second;
        usage.virtual_memory_bytes = static_cast<double>(stat->virtual_bytes);
        usage.resident_memory_bytes = static_cast<double>(stat->resident_pages) * page_bytes;
        if (const auto boot = boot_time())
            usage.start_time_seconds =
                *boot + static_cast<double>(stat->start_ticks) / ticks_per_second;
    }
    usage.open_fds = count_open_fds();
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        usage.max_fds = static_cast<double>(limit.rlim_cur);
    return usage;
}

void write_process_usage(ExpositionWriter& writer, const ProcessUsage& usage) {
    if (usage.cpu_seconds) {
        writer.begin_counter("process_cpu_seconds_total",
                             "Total user and system CPU time spent, in seconds.");
        writer.sample({}, *usage.cpu_seconds);
    }
    const auto gauge = [&writer](std::string_view name, std::string_view help,
                                 const std::optional<double>& value) {
        if (!value)
            return;
        writer.begin_gauge(name, help);
        writer.sample({}, *value);
    };
    gauge("process_resident_memory_bytes", "Resident memory size, in bytes.",
          usage.resident_memory_bytes);
    gauge("process_virtual_memory_bytes", "Virtual memory size, in bytes.",
          usage.virtual_memory_bytes);
    gauge("process_start_time_seconds", "When the process started, in Unix time.",
          usage.start_time_seconds);
    gauge("process_open_fds", "Open file descriptors.", usage.open_fds);
    gauge("process_max_fds", "Limit of open file descriptors.", usage.max_fds);
}

} // namespace oco::ops
