// The simulation's command line: one seed with its story, or many with their sums.
#include "scenario.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

int main(int argc, char** argv) {
    using namespace oco::sim;
    std::uint64_t first = 1;
    std::uint64_t last = 1;
    bool trace = false;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string flag = argv[i];
        if (flag == "--seed") {
            first = last = std::strtoull(argv[i + 1], nullptr, 10);
            trace = true;
        } else if (flag == "--seeds") {
            char* end = nullptr;
            first = std::strtoull(argv[i + 1], &end, 10);
            last = std::strtoull(end + 2, nullptr, 10);
        }
    }
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    int bad = 0;
    for (auto seed = first; seed <= last; ++seed) {
        const Report report = run_scenario(
            seed, trace ? [](const std::string& line) { std::puts(line.c_str()); }
                        : std::function<void(const std::string&)>());
        std::printf("seed %lu: %lu faults, %lu rotations, %lu pushes, %lu repeated, %lu unknown, "
                    "%lu crashes, %lu leaders, %lu relists, %lu+%lu requests, %.2f h\n",
                    report.seed, report.faults, report.rotations, report.pushes, report.repeated,
                    report.unknown, report.crashes, report.leaders, report.relists,
                    report.kube_requests, report.omni_requests, report.virtual_hours);
        for (const auto& what : report.complaints)
            std::printf("  %s\n", what.c_str());
        bad += report.complaints.empty() ? 0 : 1;
    }
    std::printf("%d of %lu failed\n", bad, last - first + 1);
    return bad == 0 ? 0 : 1;
}
