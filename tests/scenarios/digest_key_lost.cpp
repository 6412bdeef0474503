// The key of the digests is another one after a restart. By the digests nobody can tell any more
// what Omni holds; an untouched Secret still tells it, but only of the key and the kind that were
// sent from it.
#include "unit/omni/test_keys.hpp"
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// No process runs, and the next will have another key.
struct KeyIsLost {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse", "snowflake");
    Tenant& sales = world.tenant("sales");
    const std::string key = oco::test::pkcs8_pem(oco::test::rsa_key());
    std::string digested_with;

    KeyIsLost() {
        sales.applies_instance();
        sales.writes("db", key, "other");
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db", .role = "VIEWER"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
        digested_with = key_id();
        world.passes(2min);
        world.stops();
        world.passes(5s);
        world.digest_key_is_lost();
    }

    [[nodiscard]] std::string key_id() const {
        return sales.status_text("warehouse", {"applied", "credential", "keyID"});
    }

    void check_all_is_in_step() {
        CHECK(sales.in_step("warehouse", 70s));
        CHECK(key_id() != digested_with);
        CHECK(omni.roles_sent(warehouse) == "VIEWER"); // no digest is needed to know it
    }
};

} // namespace

TEST_SUITE_BEGIN("the digest key is lost");

TEST_CASE_FIXTURE(KeyIsLost, "and nothing else changed: nothing is sent") {
    world.starts();
    world.passes(5min);
    check_all_is_in_step();
    CHECK(omni.sent(warehouse) == "alfa");
}

TEST_CASE_FIXTURE(KeyIsLost, "and another key of the same Secret is named") {
    sales.writes("db", "bravo", "another");
    world.starts(); // the Secret has changed, and is sent in any case
    REQUIRE(sales.in_step("warehouse", 70s));
    world.passes(2min);
    world.stops();
    world.passes(5s);
    world.digest_key_is_lost();
    sales.changes("warehouse", Tenant::credential_from("db", "another")); // of the same version
    world.starts();
    CHECK(world.omni_gets(warehouse, "bravo"));
    check_all_is_in_step();
}

TEST_CASE_FIXTURE(KeyIsLost, "and the same Secret holds another kind") {
    sales.changes("warehouse", Tenant::credential_from("db", "other", "snowflakePrivateKey"));
    world.starts();
    CHECK(sales.sees("warehouse", "Synced", 70s));
    CHECK(omni.private_key(warehouse) == key);
    check_all_is_in_step();
}

TEST_CASE_FIXTURE(KeyIsLost, "and the same key of the same Secret is another kind") {
    sales.changes("warehouse", Tenant::credential_from("db", "other"));
    world.starts();
    REQUIRE(world.happens([&] { return omni.held(warehouse) == key; }));
    REQUIRE(sales.in_step("warehouse", 70s));
    world.passes(2min);
    world.stops();
    world.passes(5s);
    world.digest_key_is_lost();
    sales.changes("warehouse", Tenant::credential_from("db", "other", "snowflakePrivateKey"));
    world.starts();
    CHECK(sales.sees("warehouse", "Synced", 70s));
    CHECK(omni.private_key(warehouse) == key);
}

TEST_CASE_FIXTURE(KeyIsLost, "and another Secret is named") {
    sales.writes("db-2", "bravo");
    sales.changes("warehouse", Tenant::credential_from("db-2"));
    world.starts();
    CHECK(world.omni_gets(warehouse, "bravo"));
    check_all_is_in_step();
}

TEST_CASE_FIXTURE(KeyIsLost, "and the Secret was rotated") {
    sales.writes("db", "bravo");
    world.starts();
    CHECK(world.omni_gets(warehouse, "bravo"));
    check_all_is_in_step();
    CHECK(omni.sent(warehouse) == "alfa bravo");
}

TEST_CASE_FIXTURE(KeyIsLost, "and the Secret was made again: who knows what it holds") {
    sales.deletes_secret("db");
    sales.writes("db", "alfa");
    world.starts();
    world.passes(5min);
    check_all_is_in_step();
    CHECK(omni.sent(warehouse) == "alfa alfa");
}

TEST_SUITE_END();
