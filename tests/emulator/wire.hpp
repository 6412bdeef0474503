#pragma once

#include "http.hpp"

#include <cstddef>
#include <string>

namespace emulator {

enum class AfterAnswer { keep_alive, close };

/// An answer as HTTP/1.1 text, in one piece so that it leaves in one write.
struct WireAnswer {
    std::string text;
    std::size_t header_size = 0; ///< bytes up to and with the empty line
};

/// `method` is the request's: a HEAD is answered without a body.
WireAnswer serialize(const Answer& answer, std::string_view method, AfterAnswer after);

/// Whether the answer's own headers say `Connection: close`.
bool asks_to_close(const Answer& answer);

} // namespace emulator
