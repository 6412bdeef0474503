// Where log lines go: standard error, which may be closed, or full because nobody reads it. That
// must neither end nor delay the process, which may hold the Lease.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace oco::ops {

// Drops lines while they can't be written, and says how many it dropped once they can. Writes of
// others to a pipe between two of its calls can block it; a terminal that is paused does.
class LogOutput {
  public:
    // Does not own `descriptor`, but gives it a bigger buffer if it is a pipe. SIGPIPE must be
    // ignored.
    explicit LogOutput(int descriptor);

    // A whole line, with its newline. Written as a whole or not at all, although the end of a long
    // one may follow later.
    void write(std::string_view line);
    // Writes what is left of the last line, and a line about those dropped. Whether all is out.
    bool flush();

  private:
    std::size_t write_now(std::string_view bytes) const; // as much as it takes

    int descriptor_;
    bool is_socket_;
    std::string rest_; // of a line whose begin is written
    std::uint64_t dropped_ = 0;
};

} // namespace oco::ops
