// How many objects a list asks for at a time: as many as are parsed in a few milliseconds, so that
// lists never hold up a renewal of the Lease, whatever the size of the objects. Pure.
#pragma once

#include <cstddef>

namespace oco::kube {

class PageSize {
  public:
    // For the next page.
    [[nodiscard]] std::size_t objects() const { return objects_; }

    // A page has come, with so many objects, which take so many bytes of memory while they are
    // read.
    void came(std::size_t objects, std::size_t bytes);

    // A page was larger than we take. Whether a smaller one is left to be asked for.
    bool was_too_large();

  private:
    std::size_t objects_ = 16; // of the largest size the API server takes, they are one answer
};

} // namespace oco::kube
