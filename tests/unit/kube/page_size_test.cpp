// Pages that are parsed quickly, whatever the size of the objects.
#include "kube/page_size.hpp"

#include <doctest/doctest.h>

using oco::kube::PageSize;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

} // namespace

TEST_CASE("the size of the objects decides how many are asked for") {
    struct Case {
        std::size_t objects;
        std::size_t bytes;
        std::size_t next;
    };

    const Case cases[] = {
        {16, 16 * std::size_t{4096}, 250},
        {16, 16 * mebibyte, 4},
        {4, 40 * mebibyte, 1},
        {1, 3000, 250},
        {0, 0, 16},
        {5, 0, 250},
    };
    for (const auto& [objects, bytes, next] : cases) {
        PageSize size;
        size.came(objects, bytes);
        CHECK_MESSAGE(size.objects() == next, objects << " objects of " << bytes << " bytes");
    }
}

TEST_CASE("after a page that was too large comes a smaller one, down to one object") {
    PageSize size;
    size.came(250, 250);
    CHECK(size.objects() == 250);
    int tries = 0;
    while (size.was_too_large())
        ++tries;
    CHECK(size.objects() == 1);
    CHECK(tries == 4);
    size.came(1, 4096);
    CHECK(size.objects() == 250);
}
