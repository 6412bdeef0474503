// Of OmniInstances that share a key the lowest limit applies. When the one that has it goes, the
// limit follows at once.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

constexpr int waiting_for_the_limit = 30;
constexpr int low = 6;

// Thirty rotations wait, since another tenant's OmniInstance with the same key allows six a minute.
struct Throttled {
    World world;
    Omni& omni = world.omni;
    Tenant& sales = world.tenant("sales");
    Tenant& careful = world.tenant("careful");
    std::vector<std::string> ids;

    Throttled() {
        sales.applies_instance({.key = "shared"});
        sales.writes("db", "alfa");
        for (int i = 0; i < waiting_for_the_limit; ++i) {
            ids.push_back(omni.creates("Warehouse " + std::to_string(i)));
            sales.applies(
                {.name = "warehouse-" + std::to_string(i), .id = ids.back(), .secret = "db"});
        }
        world.starts();
        REQUIRE(world.happens([&] { return with("alfa") == waiting_for_the_limit; }, 1min));
        world.passes(3min);
    }

    void another_allows_few() {
        careful.applies_instance({.key = "shared", .limit = low});
        world.passes(3min);
        sales.writes("db", "bravo");
        world.passes(30s);
        REQUIRE(with("bravo") <= low);
    }

    [[nodiscard]] int with(const std::string& value) {
        int count = 0;
        for (const auto& id : ids)
            count += omni.held(id) == value ? 1 : 0;
        return count;
    }

    void check_all_goes_at_once() {
        CHECK(world.happens([&] { return with("bravo") == waiting_for_the_limit; }, 10s));
    }
};

} // namespace

TEST_SUITE_BEGIN("the lower limit goes");

TEST_CASE_FIXTURE(Throttled, "with its OmniInstance") {
    another_allows_few();
    careful.deletes_instance();
    check_all_goes_at_once();
}

TEST_CASE_FIXTURE(Throttled, "to another key, in the Secret") {
    another_allows_few();
    omni.accepts("another");
    careful.changes_key("another");
    check_all_goes_at_once();
}

TEST_CASE_FIXTURE(Throttled, "to another key, in another Secret") {
    another_allows_few();
    omni.accepts("another");
    careful.changes_key("another", "key-2");
    careful.changes_instance(
        {{"apiTokenSecretRef", bj::object{{"name", "key-2"}, {"key", "token"}}}});
    check_all_goes_at_once();
}

TEST_CASE_FIXTURE(Throttled, "to another host") {
    another_allows_few();
    careful.changes_instance({{"baseURL", "http://other.omniapp.co"}});
    check_all_goes_at_once();
}

TEST_CASE_FIXTURE(Throttled, "since it is raised") {
    another_allows_few();
    careful.changes_instance({{"rateLimit", bj::object{{"requestsPerMinute", 600}}}});
    check_all_goes_at_once();
}

TEST_CASE_FIXTURE(Throttled, "and a lower one that comes applies at once") {
    careful.applies_instance({.key = "shared", .limit = low});
    world.passes(1s);
    sales.writes("db", "bravo");
    world.passes(1min);
    CHECK(with("bravo") <= low);
}

TEST_SUITE_END();
