#include "mutation_seeds.hpp"

#include "mutation.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace oco::sim {

std::optional<MutationSeeds> read_mutation_seeds(const std::string& path) {
    std::ifstream file(path);
    if (!file) {
        std::fprintf(stderr, "%s can't be read\n", path.c_str());
        return std::nullopt;
    }
    MutationSeeds seeds;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line.starts_with('#'))
            continue;
        std::istringstream words(line);
        std::string name;
        std::uint64_t seed = 0;
        std::string more;
        const bool complete = (words >> name >> seed) && seed > 0 && !(words >> more);
        if (!complete || std::ranges::find(all_mutations(), name, &Mutation::name) ==
                             std::ranges::end(all_mutations())) {
            std::fprintf(stderr, "%s: not `MUTATION SEED`: %s\n", path.c_str(), line.c_str());
            return std::nullopt;
        }
        seeds[name] = seed;
    }
    return seeds;
}

bool write_mutation_seeds(const std::string& path, const MutationSeeds& seeds) {
    std::ofstream file(path);
    file << "# The seed of operator_sim that finds each mutation; see CONTRIBUTING.md.\n";
    for (const auto& [name, seed] : seeds)
        file << name << ' ' << seed << '\n';
    file.close();
    return !file.fail();
}

} // namespace oco::sim
