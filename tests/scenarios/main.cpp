// operator_scenarios [--trace] [--seed N] [--mutation NAME]: the scenarios, with doctest's own
// options.
// `--trace` tells what happens in them, line by line; a seed changes what chance is left, on the
// network; a mutation (sim/mutation.hpp) makes the operator go wrong.
#define DOCTEST_CONFIG_IMPLEMENT
#include "sim/mutation.hpp"
#include "world.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>
#include <string_view>

int main(int argc, char** argv) {
    auto& settings = oco::scenarios::World::settings;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const bool followed = i + 1 < argc;
        settings.trace |= argument == "--trace";
        if (argument == "--seed" && followed)
            settings.seed = std::stoull(argv[i + 1]);
        if (argument == "--mutation" && followed && !oco::sim::choose_mutation(argv[i + 1])) {
            std::fprintf(stderr, "no such mutation: %s\n", argv[i + 1]);
            return 2;
        }
    }
    doctest::Context context(argc, argv);
    context.setOption("no-path-filenames", true);
    return context.run();
}
