// The text that Prometheus scrapes ("exposition format", version 0.0.4).
#pragma once

#include "base/time.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace oco::ops {

inline constexpr std::string_view exposition_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

// Seconds since 1970, to the millisecond: more digits would be noise of the conversion.
double unix_seconds(WallTime time);

struct Label {
    std::string_view name;
    std::string_view value;
};

// Appends to `out`, which must outlive it. All samples of a family follow its begin_*().
class ExpositionWriter {
  public:
    explicit ExpositionWriter(std::string& out) : out_(out) {}

    // Help texts of ours have no backslash and no line break.
    void begin_gauge(std::string_view name, std::string_view help) { begin(name, "gauge", help); }

    void begin_counter(std::string_view name, std::string_view help) {
        begin(name, "counter", help);
    }

    void sample(std::initializer_list<Label> labels, double value);

  private:
    void begin(std::string_view name, std::string_view type, std::string_view help);

    std::string& out_;
    std::string_view name_; // of the family that is being written
};

} // namespace oco::ops
