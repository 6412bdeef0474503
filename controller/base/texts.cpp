#include "base/texts.hpp"

#include "base/digest.hpp"

namespace oco {

// Each text with its length before it, so that no two lists have the same bytes.
std::string fingerprint_of(const std::vector<std::string>& texts) {
    std::string bytes;
    for (const auto& text : texts)
        bytes.append(std::to_string(text.size())).append(":").append(text);
    return fingerprint(bytes);
}

Texts::Held::Held(List texts) : list(std::move(texts)), fingerprint(fingerprint_of(list)) {}

} // namespace oco
