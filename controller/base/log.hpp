// Structured log lines. Values are names, numbers and sanitized texts; never credentials.
#pragma once

#include "base/time.hpp"

#include <concepts>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace oco::log {

enum class Level { trace, debug, info, warn, error };
enum class Format { json, text };

// The value of a field. In JSON, numbers and flags are not quoted, everything else is.
class Value {
  public:
    Value(std::string text) : text_(std::move(text)) {}

    Value(std::string_view text) : text_(text) {}

    Value(const char* text) : text_(text) {}

    template<std::same_as<bool> T> // no pointer becomes a flag
    Value(T flag) : text_(flag ? "true" : "false"), bare_(true) {}

    template<std::integral T>
        requires(!std::same_as<T, bool> && !std::same_as<T, char>)
    Value(T number) : text_(std::to_string(number)), bare_(true) {}

    [[nodiscard]] const std::string& text() const { return text_; }

    [[nodiscard]] bool bare() const { return bare_; }

  private:
    std::string text_;
    bool bare_ = false;
};

struct Field {
    std::string_view key; // a literal of ours: written as it is
    Value value;
};

struct Settings {
    Level level = Level::info;
    Format format = Format::json;
    std::function<WallTime()> clock;                 // set in main
    std::function<void(std::string_view line)> sink; // a whole line, with its newline
};

// Once, before the first line. Until then nothing is written. Not synchronised: one thread logs.
void configure(Settings settings);

bool enabled(Level level);
// JSON: {"ts":"2026-11-24T20:24:51.042Z","level":"info","msg":"...",fields in their order}.
// Text: 2026-11-24T20:24:51.042Z INFO  message key=value, values in quotes where they need them.
// The message and each value are cut and cleaned by oco::printable.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void trace(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::trace, m, f);
}

inline void debug(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::debug, m, f);
}

inline void info(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::info, m, f);
}

inline void warn(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::warn, m, f);
}

inline void error(std::string_view m, std::initializer_list<Field> f = {}) {
    write(Level::error, m, f);
}

} // namespace oco::log
