#include "ops/exposition.hpp"

#include <charconv>
#include <chrono>
#include <cmath>

namespace oco::ops {
namespace {

void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        if (c == '\n') {
            out += "\\n";
            continue;
        }
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
}

void append_number(std::string& out, double value) {
    if (std::isnan(value)) {
        out += "NaN";
    } else if (std::isinf(value)) {
        out += value > 0 ? "+Inf" : "-Inf";
    } else {
        char text[32]; // the shortest form that reads back the same needs at most 24
        out.append(text, std::to_chars(std::begin(text), std::end(text), value).ptr);
    }
}

} // namespace

double unix_seconds(WallTime time) {
    const auto whole = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
    return static_cast<double>(whole.count()) / 1000;
}

void ExpositionWriter::begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    (((out_ += "# HELP ") += name) += ' ') += help;
    (((out_ += "\n# TYPE ") += name) += ' ') += type;
    out_ += '\n';
}

void ExpositionWriter::sample(std::initializer_list<Label> labels, double value) {
    out_ += name_;
    char separator = '{';
    for (const Label& label : labels) {
        ((out_ += separator) += label.name) += "=\"";
        append_escaped(out_, label.value);
        out_ += '"';
        separator = ',';
    }
    out_ += labels.size() == 0 ? " " : "} ";
    append_number(out_, value);
    out_ += '\n';
}

} // namespace oco::ops
