// The OmniInstance is deleted while the operator waits for an answer that concerns it, and made
// again. Under AddressSanitizer these also show that nobody looks at what is gone.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Omni takes three seconds for each answer.
struct SlowOmni {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse");
    Tenant& sales = world.tenant("sales");

    SlowOmni() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        omni.answers_take(3s);
    }

    void bravo_is_under_way() {
        sales.writes("db", "bravo");
        REQUIRE(world.omni_is_asked(RequestKind::push));
    }

    // Whether what Omni accepted is still known is another story: the claim was lost.
    void check_in_step() {
        CHECK(sales.in_step("warehouse", 20s));
        CHECK(omni.held(warehouse) == "bravo");
        CHECK(sales.vouched("warehouse") == "bravo");
    }
};

} // namespace

TEST_SUITE_BEGIN("the OmniInstance is deleted");

TEST_CASE_FIXTURE(SlowOmni, "while a PATCH is under way") {
    bravo_is_under_way();
    sales.deletes_instance();
    world.passes(5s);
    CHECK(omni.held(warehouse) == "bravo");
    CHECK(sales.reason("warehouse") == "InstanceNotFound");
    sales.applies_instance();
    check_in_step();
}

TEST_CASE_FIXTURE(SlowOmni, "and made again while a PATCH is under way") {
    bravo_is_under_way();
    sales.deletes_instance();
    sales.applies_instance();
    check_in_step();
}

TEST_CASE_FIXTURE(SlowOmni, "while a PATCH is under way that Omni refuses") {
    omni.each_push(warehouse, refused_with(422));
    bravo_is_under_way();
    sales.deletes_instance();
    world.passes(5s);
    CHECK(sales.reason("warehouse") == "InstanceNotFound");
    sales.applies_instance();
    CHECK(sales.sees("warehouse", "Rejected"));
    CHECK(omni.sent(warehouse) == "alfa bravo"); // refused as it is, it is not sent again
}

TEST_CASE_FIXTURE(SlowOmni, "while the list of connections is read") {
    sales.deletes_instance();
    world.passes(1s);
    sales.applies_instance();
    REQUIRE(world.omni_is_asked(RequestKind::list));
    sales.deletes_instance();
    sales.writes("db", "bravo");
    world.passes(5s);
    CHECK(sales.reason("warehouse") == "InstanceNotFound");
    CHECK(omni.sent(warehouse) == "alfa");
    sales.applies_instance();
    check_in_step();
}

TEST_CASE_FIXTURE(SlowOmni, "while its key is read") {
    sales.writes("db", "bravo");
    sales.deletes_instance();
    world.passes(5s);
    world.secret_read_takes("sales", "key", 2s);
    sales.applies_instance();
    world.passes(1s);
    sales.deletes_instance();
    world.passes(5s);
    CHECK(sales.reason("warehouse") == "InstanceNotFound");
    sales.applies_instance();
    check_in_step();
    CHECK(sales.instance_reason() == "Synced");
}

TEST_CASE_FIXTURE(SlowOmni, "while its key is refused, and made again with another") {
    omni.refuses(sales.key());
    bravo_is_under_way(); // 401 is on its way
    omni.answers_take(10ms);
    sales.deletes_instance();
    sales.applies_instance({.key = "another"});
    check_in_step();
    CHECK(omni.count(RequestKind::whoami) == 0); // the refusal tells nothing of the new key
}

TEST_SUITE_END();
