#include "kube/page_size.hpp"

#include <algorithm>

namespace oco::kube {
namespace {

constexpr std::size_t most_objects = 250;
constexpr std::size_t wanted_bytes = std::size_t{4} << 20;
// After one that was too large: a few tries lead from any size to one.
constexpr std::size_t divisor = 4;

} // namespace

void PageSize::came(std::size_t objects, std::size_t bytes) {
    if (objects == 0)
        return;
    const std::size_t each = std::max<std::size_t>(1, bytes / objects);
    objects_ = std::clamp<std::size_t>(wanted_bytes / each, 1, most_objects);
}

bool PageSize::was_too_large() {
    if (objects_ == 1)
        return false;
    objects_ = std::max<std::size_t>(1, objects_ / divisor);
    return true;
}

} // namespace oco::kube
