// Which seed found a mutation last: lines `NAME SEED` of a file, so that not all have to be
// searched.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace oco::sim {

using MutationSeeds = std::map<std::string, std::uint64_t, std::less<>>; // by the mutation's name

// Empty lines and lines that begin with # are passed over. Nothing, and a line on stderr: the file
// can't be read, or a line is not of this form or names no mutation.
std::optional<MutationSeeds> read_mutation_seeds(const std::string& path);

// False: the file can't be written.
bool write_mutation_seeds(const std::string& path, const MutationSeeds& seeds);

} // namespace oco::sim
