// Omni answers 429: the key waits as asked, and the connections that met it are not to blame.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Three connections of one key, and one of another.
struct KeyIsPaused {
    World world;
    Omni& omni = world.omni;
    std::vector<std::string> ids{omni.creates("A"), omni.creates("B"), omni.creates("C")};
    std::string elsewhere = omni.creates("Elsewhere");
    Tenant& sales = world.tenant("sales");
    Tenant& finance = world.tenant("finance");

    KeyIsPaused() {
        for (Tenant* tenant : {&sales, &finance}) {
            tenant->applies_instance();
            tenant->writes("db", "alfa");
        }
        for (const auto& id : ids)
            sales.applies({.name = id, .id = id, .secret = "db"});
        finance.applies({.name = "elsewhere", .id = elsewhere, .secret = "db"});
        world.starts();
        for (const auto& id : ids)
            REQUIRE(sales.in_step(id));
        world.passes(3min);
    }

    // With the first request; how many seconds Omni asks for, 0: it says nothing.
    void omni_says_429(int retry_after) {
        omni.each_push(ids[0], refused_with(429, retry_after));
        omni.each_push(ids[1], refused_with(429, retry_after));
        omni.each_push(ids[2], refused_with(429, retry_after));
        sales.writes("db", "bravo");
        REQUIRE(world.omni_is_asked(RequestKind::push));
        world.passes(1s);
        omni.recovers();
    }

    [[nodiscard]] bool all_have_it(oco::rt::Duration within) {
        return world.happens(
            [&] {
                return std::ranges::all_of(
                    ids, [&](const auto& id) { return omni.held(id) == "bravo"; });
            },
            within);
    }
};

} // namespace

TEST_SUITE_BEGIN("too many requests");

TEST_CASE_FIXTURE(KeyIsPaused, "and Omni asks for two minutes") {
    omni_says_429(120);
    const auto pushes = omni.count(RequestKind::push);
    world.passes(115s);
    CHECK(omni.count(RequestKind::push) == pushes);
    for (const auto& id : ids) {
        CHECK(sales.reason(id) == "RateLimited");
        CHECK(sales.ready(id) == "Unknown");
        CHECK(!sales.status(id).contains("failures"));
    }
    CHECK(all_have_it(15s));
    for (const auto& id : ids)
        CHECK(sales.in_step(id));
}

TEST_CASE_FIXTURE(KeyIsPaused, "and Omni asks for an hour: ten minutes are enough") {
    omni_says_429(3600);
    world.passes(9min);
    CHECK(omni.held(ids[0]) == "alfa");
    CHECK(all_have_it(80s));
}

TEST_CASE_FIXTURE(KeyIsPaused, "and Omni does not say for how long") {
    omni_says_429(0);
    CHECK(all_have_it(20s));
}

TEST_CASE_FIXTURE(KeyIsPaused, "with one key: another is not held up") {
    omni_says_429(120);
    finance.writes("db", "bravo");
    CHECK(world.omni_gets(elsewhere, "bravo", 1s));
}

TEST_CASE_FIXTURE(KeyIsPaused, "and it goes on: one probe after each pause") {
    for (const auto& id : ids)
        omni.each_push(id, refused_with(429, 60));
    sales.writes("db", "bravo");
    world.passes(1min);
    const auto pushes = omni.count(RequestKind::push);
    world.passes(20min);
    CHECK(omni.count(RequestKind::push) - pushes <= 21);
    omni.recovers();
    CHECK(all_have_it(80s));
}

TEST_SUITE_END();
