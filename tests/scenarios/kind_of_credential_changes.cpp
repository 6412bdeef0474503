// The same bytes of the same Secret are to be sent as another kind of credential. What Omni holds
// of the kind before says nothing of the new one, whatever is under way meanwhile.
#include "unit/omni/test_keys.hpp"
#include "world.hpp"

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

bj::object as_private_key() {
    return Tenant::credential_from("db", "password", "snowflakePrivateKey");
}

// A connection of Snowflake, which takes a password and a private key. The Secret holds what can be
// either, once it is rotated.
struct TakesBoth {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse", "snowflake");
    Tenant& sales = world.tenant("sales");
    const std::string key = oco::test::pkcs8_pem(oco::test::rsa_key());

    TakesBoth() {
        sales.applies_instance();
        sales.writes("db", "alfa");
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
    }

    // Not a moment before Omni holds the key.
    void check_key_is_sent() {
        CHECK(sales.sees("warehouse", "Synced", 3min));
        CHECK(omni.private_key(warehouse) == key);
        CHECK(sales.in_step("warehouse"));
        world.passes(10min);
        CHECK(sales.reason("warehouse") == "Synced");
    }

    [[nodiscard]] std::size_t pushes() const { return omni.count(RequestKind::push); }
};

// Its dialect can't be read, so that any kind may go there.
struct DialectUnknown {
    World world;
    Omni& omni = world.omni;
    std::string warehouse = omni.creates("Warehouse", "bigquery");
    Tenant& sales = world.tenant("sales");

    DialectUnknown() {
        sales.applies_instance();
        omni.forbids_reading(sales.key());
        sales.writes("db", service_account("one"));
        sales.applies({.name = "warehouse", .id = warehouse, .secret = "db"});
        world.starts();
        REQUIRE(sales.in_step("warehouse"));
    }

    static std::string service_account(const std::string& project) {
        return bj::serialize(
            bj::object{{"type", "service_account"},
                       {"project_id", project},
                       {"private_key", oco::test::pkcs8_pem(oco::test::rsa_key())},
                       {"client_email", "omni@analytics.iam.gserviceaccount.com"}});
    }
};

} // namespace

TEST_SUITE_BEGIN("the kind of a credential changes");

TEST_CASE_FIXTURE(TakesBoth, "while nothing else happens") {
    sales.writes("db", key);
    REQUIRE(sales.in_step("warehouse"));
    sales.changes("warehouse", as_private_key());
    check_key_is_sent();
    CHECK(pushes() == 3);
}

TEST_CASE_FIXTURE(TakesBoth, "while it is sent as the kind before") {
    omni.answers_take(600ms);
    sales.writes("db", key);
    REQUIRE(world.omni_is_asked(RequestKind::push));
    sales.changes("warehouse", as_private_key());
    check_key_is_sent();
    CHECK(pushes() == 3);
}

TEST_CASE_FIXTURE(TakesBoth, "while it is sent as the kind before, for longer than a second") {
    omni.answers_take(5s);
    sales.writes("db", key);
    REQUIRE(world.omni_is_asked(RequestKind::push));
    world.passes(3s);
    sales.changes("warehouse", as_private_key());
    check_key_is_sent();
    CHECK(pushes() == 3);
}

TEST_CASE_FIXTURE(TakesBoth, "while it is read to be sent as the kind before") {
    world.secret_read_takes("sales", "db", 2s);
    sales.writes("db", key);
    world.passes(500ms);
    sales.changes("warehouse", as_private_key());
    check_key_is_sent();
    CHECK(omni.held(warehouse) == "alfa");
}

TEST_CASE_FIXTURE(TakesBoth, "while a PATCH with the kind before is unanswered") {
    omni.next_push(warehouse, unanswered());
    sales.writes("db", key);
    REQUIRE(world.omni_is_asked(RequestKind::push));
    world.passes(5s);
    sales.changes("warehouse", as_private_key());
    check_key_is_sent();
}

TEST_CASE_FIXTURE(TakesBoth, "while a PATCH with the kind before is cut by SIGTERM") {
    omni.next_push(warehouse, unanswered());
    sales.writes("db", key);
    REQUIRE(world.omni_is_asked(RequestKind::push));
    world.stops();
    world.passes(10s);
    sales.changes("warehouse", as_private_key());
    world.starts();
    check_key_is_sent();
}

TEST_CASE_FIXTURE(TakesBoth, "and changes back while it is sent: nothing more is sent") {
    omni.answers_take(3s);
    sales.writes("db", key);
    REQUIRE(world.omni_is_asked(RequestKind::push));
    sales.changes("warehouse", as_private_key());
    world.passes(1s);
    sales.changes("warehouse", Tenant::credential_from("db"));
    CHECK(sales.in_step("warehouse", 1min));
    world.passes(10min);
    CHECK(pushes() == 2);
    CHECK(omni.private_key(warehouse).empty());
}

TEST_CASE_FIXTURE(DialectUnknown, "from a password to the same file of a service account") {
    omni.answers_take(600ms);
    sales.writes("db", service_account("two"));
    REQUIRE(world.omni_is_asked(RequestKind::push));
    const auto before = omni.count(RequestKind::push);
    sales.changes("warehouse", Tenant::credential_from("db", "password", "bigQueryServiceAccount"));
    CHECK(sales.sees("warehouse", "Synced", 1min));
    CHECK(omni.count(RequestKind::push) == before + 1);
    world.passes(10min);
    CHECK(omni.count(RequestKind::push) == before + 1);
}

TEST_SUITE_END();
