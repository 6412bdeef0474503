#include "ops/process_metrics.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <string>
#include <unistd.h>

using namespace oco;

namespace {

constexpr const char* after_command =
    " S 1 42 42 0 -1 4194560 2094 0 3 0 150 25 7 8 20 0 4 0 8613 1073741824 2560 "
    "18446744073709551615 1 1 0 0 0 0 0 4096 17642 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";

} // namespace

TEST_CASE("process: /proc/self/stat, whatever the command is called") {
    for (const char* command : {"operator", "a b", ") S 9 9", "line\nbreak", ""}) {
        CAPTURE(command);
        const auto stat =
            ops::parse_process_stat("42 (" + std::string(command) + ")" + after_command);
        REQUIRE(stat.has_value());
        CHECK(stat->cpu_ticks == 175); // without those of children
        CHECK(stat->start_ticks == 8613);
        CHECK(stat->virtual_bytes == 1073741824);
        CHECK(stat->resident_pages == 2560);
    }
}

TEST_CASE("process: what is no stat line") {
    for (const char* text : {"", "42", "42 (operator", "42 (operator)", "42 (operator) S 1 2 3",
                             "42 (operator) S 1 1 1 1 1 1 1 1 1 1 x 1 1 1 1 1 1 1 1 1 1"})
        CHECK_FALSE(ops::parse_process_stat(text).has_value());
}

TEST_CASE("process: this process") {
    const auto before = ops::read_process_usage();
    REQUIRE(before.open_fds.has_value());
    CHECK(*before.open_fds >= 3);
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const auto after = ops::read_process_usage();
    close(fd);
    CHECK(*after.open_fds == *before.open_fds + 1);
    CHECK(after.max_fds.value() >= *after.open_fds);
    CHECK(after.cpu_seconds.value() >= before.cpu_seconds.value());
    CHECK(after.resident_memory_bytes.value() > 100'000);
    CHECK(after.virtual_memory_bytes.value() >= *after.resident_memory_bytes);
    CHECK(after.start_time_seconds.value() > 1.5e9);
}

TEST_CASE("process: what could not be read is left out") {
    std::string page;
    ops::ExpositionWriter writer(page);
    ops::write_process_usage(writer, {.open_fds = 7});
    CHECK(page == "# HELP process_open_fds Open file descriptors.\n"
                  "# TYPE process_open_fds gauge\n"
                  "process_open_fds 7\n");
}
