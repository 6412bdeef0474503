#include "base/texts.hpp"

#include "base/digest.hpp"

namespace oco {

// Each text with its length before it, so that no two lists have the same bytes.
Texts::Held::Held(List texts) : list(std::move(texts)) {
    std::string bytes;
    for (const auto& text : list)
        bytes.append(std::to_string(text.size())).append(":").append(text);
    fingerprint = oco::fingerprint(bytes);
}

} // namespace oco
