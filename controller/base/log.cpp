#include "base/log.hpp"

#include "base/text.hpp"

namespace oco::log {
namespace {

Settings& settings() {
    static Settings instance;
    return instance;
}

std::string_view name_of(Level level) {
    switch (level) {
    case Level::trace:
        return "trace";
    case Level::debug:
        return "debug";
    case Level::info:
        return "info";
    case Level::warn:
        return "warn";
    case Level::error:
        return "error";
    }
    return "unknown";
}

// One width, so that messages line up.
std::string_view padded_name_of(Level level) {
    switch (level) {
    case Level::trace:
        return "TRACE ";
    case Level::debug:
        return "DEBUG ";
    case Level::info:
        return "INFO  ";
    case Level::warn:
        return "WARN  ";
    case Level::error:
        return "ERROR ";
    }
    return "????? ";
}

std::string timestamp(WallTime time) {
    std::string text = format_rfc3339_micro(time);
    text.erase(text.size() - 4, 3); // the microseconds before the Z
    return text;
}

// Printable text has no control characters, so that these two are all that JSON wants escaped.
void append_quoted(std::string& line, std::string_view text) {
    line += '"';
    for (const char c : printable(text)) {
        if (c == '"' || c == '\\')
            line += '\\';
        line += c;
    }
    line += '"';
}

void append_member(std::string& line, const Field& field) {
    (line += ',') += '"';
    (line += field.key) += "\":";
    if (field.value.bare())
        line += field.value.text();
    else
        append_quoted(line, field.value.text());
}

std::string json_line(Level level, std::string_view message, WallTime time,
                      std::initializer_list<Field> fields) {
    std::string line = "{\"ts\":\"" + timestamp(time) + "\",\"level\":\"";
    (line += name_of(level)) += "\",\"msg\":";
    append_quoted(line, message);
    for (const Field& field : fields)
        append_member(line, field);
    return line += "}\n";
}

std::string text_line(Level level, std::string_view message, WallTime time,
                      std::initializer_list<Field> fields) {
    std::string line = timestamp(time) + ' ';
    (line += padded_name_of(level)) += printable(message);
    for (const Field& field : fields) {
        ((line += ' ') += field.key) += '=';
        const std::string text = printable(field.value.text());
        if (text.empty() || text.find_first_of(" =\"\\") != std::string::npos)
            append_quoted(line, text);
        else
            line += text;
    }
    return line += '\n';
}

} // namespace

void configure(Settings new_settings) {
    settings() = std::move(new_settings);
}

bool enabled(Level level) {
    return settings().sink && settings().clock && level >= settings().level;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
    if (!enabled(level))
        return;
    const auto& line = settings().format == Format::json ? json_line : text_line;
    settings().sink(line(level, message, settings().clock(), fields));
}

} // namespace oco::log
