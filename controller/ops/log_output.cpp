#include "ops/log_output.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace oco::ops {
namespace {

bool is_socket(int descriptor) {
    struct stat file {};

    return ::fstat(descriptor, &file) == 0 && S_ISSOCK(file.st_mode);
}

// Room for lines that come in a burst, faster than their reader. Who has chosen a size is left
// alone.
void enlarge_pipe(int descriptor) {
    constexpr int usual = 64 * 1024;
    constexpr int most = 1024 * 1024; // that anybody may have
    if (::fcntl(descriptor, F_GETPIPE_SZ) == usual)
        ::fcntl(descriptor, F_SETPIPE_SZ, most);
}

bool takes_bytes(int descriptor) {
    pollfd state{.fd = descriptor, .events = POLLOUT, .revents = 0};
    return ::poll(&state, 1, 0) > 0 && (state.revents & POLLOUT) != 0;
}

} // namespace

LogOutput::LogOutput(int descriptor) : descriptor_(descriptor), is_socket_(is_socket(descriptor)) {
    enlarge_pipe(descriptor);
}

void LogOutput::write(std::string_view line) {
    if (!flush()) {
        ++dropped_;
        return;
    }
    const auto written = write_now(line);
    if (written == 0)
        ++dropped_;
    else
        rest_ = line.substr(written);
}

bool LogOutput::flush() {
    rest_.erase(0, write_now(rest_));
    if (!rest_.empty())
        return false;
    if (const auto dropped = std::exchange(dropped_, 0); dropped != 0) {
        // By way of write(), which finds nothing else to do.
        log::error("log lines were dropped: nobody read standard error", {{"lines", dropped}});
        if (dropped_ != 0)
            dropped_ = dropped;
    }
    return dropped_ == 0 && rest_.empty();
}

// O_NONBLOCK would also change what others have open here, say a shell. Instead, a pipe that takes
// bytes takes PIPE_BUF of them without blocking (pipe(7)).
std::size_t LogOutput::write_now(std::string_view bytes) const {
    std::size_t written = 0;
    while (written < bytes.size() && takes_bytes(descriptor_)) {
        const auto piece = bytes.substr(written, PIPE_BUF);
        const auto size = is_socket_ ? ::send(descriptor_, piece.data(), piece.size(), MSG_DONTWAIT)
                                     : ::write(descriptor_, piece.data(), piece.size());
        if (size > 0)
            written += static_cast<std::size_t>(size);
        else if (errno != EINTR)
            break;
    }
    return written;
}

} // namespace oco::ops
