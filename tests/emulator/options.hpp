#pragma once

#include "rate.hpp"
#include "seed.hpp"

#include <optional>
#include <string>

namespace emulator {

/// The command line, with the files it names already read.
struct Options {
    std::string host = "127.0.0.1";
    std::string port = "8089"; ///< 0–65535, in digits
    Seed seed;
    Limits limits;
    std::string tls_certificate; ///< empty: plain HTTP; set together with tls_key
    std::string tls_key;
    bool exit_with_parent = false;
};

/// Fills `options`. Returns the exit code if the program should end now: 0 after --help, 1 if a
/// file can't be read or is wrong, 2 for wrong usage. Says why in one line on stderr.
std::optional<int> parse_options(int argc, char** argv, Options& options);

} // namespace emulator
