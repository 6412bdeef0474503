// A log that nobody reads, and one whose reader has gone.
#include "base/log.hpp"
#include "ops/log_output.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace oco;

namespace {

struct Channel {
    Channel() = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    ~Channel() {
        ::close(ends[0]);
        ::close(ends[1]);
    }

    // All that is there.
    [[nodiscard]] std::string read() const {
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
        std::string text;
        char buffer[4096];
        for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;)
            text.append(buffer, static_cast<std::size_t>(size));
        return text;
    }

    int ends[2] = {-1, -1};
};

struct Logging {
    explicit Logging(ops::LogOutput& output) {
        log::configure({.level = log::Level::error,
                        .format = log::Format::text,
                        .clock = [] { return WallTime(); },
                        .sink =
                            [&output](std::string_view line) {
                                output.write(line);
                            }});
    }

    Logging(const Logging&) = delete;
    Logging& operator=(const Logging&) = delete;

    ~Logging() { log::configure({}); }
};

std::string line_of(std::size_t size) {
    return std::string(size - 1, 'x') + "\n";
}

// Fills it, reads it, and looks for whole lines and their number.
void overflow(const Channel& channel) {
    ops::LogOutput output(channel.ends[1]);
    const Logging logging(output);
    constexpr std::size_t size = 5000; // more than a pipe takes at once
    constexpr std::size_t lines = 400;
    for (std::size_t i = 0; i < lines; ++i)
        output.write(line_of(size));
    std::string text = channel.read();
    CHECK(output.flush());
    output.write("then\n");
    text += channel.read();

    const auto about = text.find("ERROR log lines were dropped: nobody read standard error lines=");
    REQUIRE(about != std::string::npos);
    const auto number = text.find("lines=", about) + 6;
    CHECK(text.substr(text.find('\n', about)) == "\nthen\n");
    std::string whole;
    for (std::size_t i = std::stoul(text.substr(number)); i < lines; ++i)
        whole += line_of(size);
    CHECK(whole.size() > size);
    CHECK(text.starts_with(whole));
    CHECK(text.substr(whole.size()).find('x') == std::string::npos);
}

} // namespace

TEST_CASE("log output: a full pipe costs lines, which are counted, and no time") {
    Channel channel;
    REQUIRE(::pipe(channel.ends) == 0);
    overflow(channel);
}

TEST_CASE("log output: a full socket, the same") {
    Channel channel;
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, channel.ends) == 0);
    overflow(channel);
}

TEST_CASE("log output: a closed pipe does no harm") {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    Channel channel;
    REQUIRE(::pipe(channel.ends) == 0);
    ::close(std::exchange(channel.ends[0], -1));
    ops::LogOutput output(channel.ends[1]);
    const Logging logging(output);
    output.write("lost\n");
    CHECK_FALSE(output.flush());
    std::signal(SIGPIPE, before);
}
