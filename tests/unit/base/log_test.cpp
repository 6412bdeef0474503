#include "base/json.hpp"
#include "base/log.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

using namespace oco;
using namespace std::string_literals;

namespace {

// Collects what is written while it lives, at a fixed time.
class Recorder {
  public:
    explicit Recorder(log::Format format, log::Level level = log::Level::info) {
        log::configure({.level = level,
                        .format = format,
                        .clock = [] { return *parse_rfc3339("2026-11-24T20:24:51.042999Z"); },
                        .sink =
                            [this](std::string_view line) {
                                lines.emplace_back(line);
                            }});
    }

    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    ~Recorder() { log::configure({}); }

    std::vector<std::string> lines;
};

} // namespace

TEST_CASE("log: nothing is written before it is configured") {
    log::configure({});
    CHECK_FALSE(log::enabled(log::Level::error));
    log::error("lost");

    std::string written;
    log::configure({.sink = [&written](std::string_view line) {
        written += line;
    }});
    log::error("no clock yet");
    log::configure({});
    CHECK(written.empty());
}

TEST_CASE("log: a JSON line") {
    const Recorder recorder(log::Format::json);
    log::info("pushed", {{"connection", "team-a/warehouse"}, {"failures", 3}, {"dry_run", false}});
    REQUIRE(recorder.lines.size() == 1);
    CHECK(recorder.lines[0] == R"({"ts":"2026-11-24T20:24:51.042Z","level":"info","msg":"pushed",)"
                               R"("connection":"team-a/warehouse","failures":3,"dry_run":false})"
                               "\n");
}

TEST_CASE("log: a text line quotes only what needs it") {
    const Recorder recorder(log::Format::text);
    log::warn("cannot reach Omni", {{"host", "acme.omniapp.co"},
                                    {"error", "read: Connection reset"},
                                    {"empty", ""},
                                    {"pair", "a=b"},
                                    {"seconds", 15}});
    REQUIRE(recorder.lines.size() == 1);
    CHECK(recorder.lines[0] ==
          "2026-11-24T20:24:51.042Z WARN  cannot reach Omni host=acme.omniapp.co "
          "error=\"read: Connection reset\" empty=\"\" pair=\"a=b\" seconds=15\n");
}

TEST_CASE("log: levels") {
    const Recorder recorder(log::Format::text, log::Level::warn);
    CHECK_FALSE(log::enabled(log::Level::info));
    CHECK(log::enabled(log::Level::warn));
    log::trace("no");
    log::debug("no");
    log::info("no");
    log::warn("yes");
    log::error("yes");
    REQUIRE(recorder.lines.size() == 2);
    CHECK(recorder.lines[0] == "2026-11-24T20:24:51.042Z WARN  yes\n");
    CHECK(recorder.lines[1] == "2026-11-24T20:24:51.042Z ERROR yes\n");
}

TEST_CASE("log: hostile text stays on its line and inside its quotes") {
    const std::string hostile = "a\"b\\c\nd\x1b[2J\xff" + std::string(2000, 'x');
    for (const auto format : {log::Format::json, log::Format::text}) {
        CAPTURE(static_cast<int>(format));
        const Recorder recorder(format);
        log::info(hostile, {{"text", hostile}});
        REQUIRE(recorder.lines.size() == 1);
        const std::string& line = recorder.lines[0];
        CHECK(line.find('\n') == line.size() - 1);
        CHECK(line.find('\x1b') == std::string::npos);
        CHECK(line.size() < 1200); // both texts are cut
    }

    const Recorder recorder(log::Format::json);
    log::info(hostile, {{"text", hostile}});
    const auto document = json::parse(recorder.lines.at(0));
    REQUIRE(document.has_value());
    CHECK(json::string_at(*document, "text").substr(0, 14) == "a\"b\\c d [2J?xx");
    CHECK(json::string_at(*document, "msg") == json::string_at(*document, "text"));
}

TEST_CASE("log: every kind of value is JSON") {
    const Recorder recorder(log::Format::json);
    const std::string text = "text";
    log::info("values", {{"a", text},
                         {"b", std::string_view(text)},
                         {"c", std::numeric_limits<std::uint64_t>::max()},
                         {"d", -1}});
    const auto document = json::parse(recorder.lines.at(0));
    REQUIRE(document.has_value());
    CHECK(json::string_at(*document, "a") == "text");
    CHECK(json::string_at(*document, "b") == "text");
    CHECK(json::find(*document, "c")->GetUint64() == std::numeric_limits<std::uint64_t>::max());
    CHECK(json::int_at(*document, "d") == -1);
}
