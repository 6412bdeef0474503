// What the kernel reports about this process: the process_* metrics of every Prometheus client.
#pragma once

#include "ops/exposition.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace oco::ops {

// Nothing where /proc could not be read.
struct ProcessUsage {
    std::optional<double> cpu_seconds;
    std::optional<double> resident_memory_bytes;
    std::optional<double> virtual_memory_bytes;
    std::optional<double> start_time_seconds; // Unix time
    std::optional<double> open_fds;
    std::optional<double> max_fds;
};

// The kernel's units: ticks of 1/sysconf(_SC_CLK_TCK) s, pages of sysconf(_SC_PAGESIZE) bytes.
struct ProcessStat {
    std::uint64_t cpu_ticks = 0;   // user and system
    std::uint64_t start_ticks = 0; // since the machine started
    std::uint64_t virtual_bytes = 0;
    std::uint64_t resident_pages = 0;
};

// The text of /proc/self/stat (proc(5)). The command, in parentheses, may hold anything.
std::optional<ProcessStat> parse_process_stat(std::string_view text);

ProcessUsage read_process_usage();

void write_process_usage(ExpositionWriter& writer, const ProcessUsage& usage);

} // namespace oco::ops
