// What an object has applied is void once it has lost its claim: another may have written since.
// When it has the claim again, it sends again, and does not say Synced before.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// The older object holds the connection, by an OmniInstance of the platform's team.
struct OlderHolds : Rivals {
    Tenant& platform = world.tenant("platform");

    OlderHolds() {
        platform.applies_instance({.allows = all_namespaces()});
        younger.applies_instance();
        both_apply({.instance_of = "platform"});
        world.starts();
        REQUIRE(older_holds());
    }

    void check_claim_goes_to_younger() { REQUIRE(world.omni_gets(warehouse, "young", 70s)); }

    void check_claim_comes_back() {
        CHECK(world.omni_gets(warehouse, "old", 70s));
        CHECK(older_holds());
        CHECK(omni.sent(warehouse) == "old young old");
    }
};

} // namespace

TEST_SUITE_BEGIN("a claim is lost, and regained");

TEST_CASE_FIXTURE(OlderHolds, "since the OmniInstance was deleted, and made again") {
    platform.deletes_instance();
    check_claim_goes_to_younger();
    platform.applies_instance({.allows = all_namespaces()});
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "since allowedNamespaces changed, and was reverted") {
    platform.changes_instance({{"allowedNamespaces", same_namespace()}});
    check_claim_goes_to_younger();
    platform.changes_instance({{"allowedNamespaces", all_namespaces()}});
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "since its namespace lost the label that was selected") {
    platform.changes_instance({{"allowedNamespaces", namespaces_of_team("team-b")}});
    world.passes(10s);
    REQUIRE(omni.sent(warehouse) == "old");
    older.joins("nobody");
    check_claim_goes_to_younger();
    older.joins("team-b");
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "since allowedConnections changed, and was reverted") {
    platform.changes_instance({{"allowedConnections", bj::array{omni.creates("Lake")}}});
    check_claim_goes_to_younger();
    platform.changes_instance({{"allowedConnections", nullptr}});
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "since instanceRef named an OmniInstance that does not exist") {
    older.changes("warehouse", {{"instanceRef", bj::object{{"name", "absent"}}}});
    check_claim_goes_to_younger();
    older.changes("warehouse", {{"instanceRef", bj::object{{"name", "omni"}}}});
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "since connectionID named another connection") {
    const auto lake = omni.creates("Lake");
    older.changes("warehouse", {{"connectionID", lake}});
    check_claim_goes_to_younger();
    REQUIRE(world.omni_gets(lake, "old"));
    older.changes("warehouse", {{"connectionID", warehouse}});
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "since connectionID named another connection for a moment") {
    older.changes("warehouse", {{"connectionID", omni.creates("Lake")}});
    check_claim_goes_to_younger(); // before the list shows the other connection
    older.changes("warehouse", {{"connectionID", warehouse}});
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "while the other's request is still under way") {
    omni.answers_take(5s);
    platform.deletes_instance();
    REQUIRE(world.omni_is_asked(RequestKind::push, 70s)); // with the younger's value
    platform.applies_instance({.allows = all_namespaces()});
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "across a restart") {
    platform.deletes_instance();
    check_claim_goes_to_younger();
    world.passes(5s);
    world.stops();
    world.passes(12s);
    platform.applies_instance({.allows = all_namespaces()});
    world.starts();
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "while its own request is still under way") {
    omni.answers_take(5s);
    older.writes("db", "old-2");
    REQUIRE(world.omni_is_asked(RequestKind::push));
    platform.deletes_instance();
    world.passes(4s);
    CHECK(omni.sent(warehouse) == "old old-2"); // one at a time
    CHECK(world.omni_gets(warehouse, "young", 70s));
    platform.applies_instance({.allows = all_namespaces()});
    CHECK(world.omni_gets(warehouse, "old-2", 70s));
    CHECK(older.in_step("warehouse", 20s));
    CHECK(omni.sent(warehouse) == "old old-2 young old-2");
}

TEST_CASE_FIXTURE(OlderHolds, "since it did not manage the credential for a while") {
    older.changes("warehouse", {{"credentials", nullptr}, {"baseRole", "VIEWER"}});
    check_claim_goes_to_younger();
    CHECK(older.sees("warehouse", "Synced")); // with the role
    older.changes("warehouse", Tenant::credential_from("db"));
    check_claim_comes_back();
}

TEST_CASE_FIXTURE(OlderHolds, "though nobody else was there") {
    younger.deletes("warehouse");
    platform.deletes_instance();
    CHECK(older.sees("warehouse", "NamespaceNotAllowed")); // absent and not allowed read alike
    CHECK(older.vouched("warehouse").empty()); // the operator would not learn of a change any more
    platform.applies_instance({.allows = all_namespaces()});
    CHECK(older.in_step("warehouse"));
    CHECK(omni.sent(warehouse) == "old old");
}

// And what does not lose a claim:

TEST_CASE_FIXTURE(OlderHolds, "but not by suspending the object") {
    older.changes("warehouse", {{"suspend", true}});
    world.passes(5min);
    CHECK(younger.reason("warehouse") == "ConnectionConflict");
    older.changes("warehouse", {{"suspend", false}});
    world.passes(1min);
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(OlderHolds, "nor by suspending its OmniInstance") {
    platform.changes_instance({{"suspend", true}});
    world.passes(5min);
    CHECK(younger.reason("warehouse") == "ConnectionConflict");
    platform.changes_instance({{"suspend", false}});
    world.passes(1min);
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(OlderHolds, "nor while the Secret of the key is away") {
    platform.deletes_secret("key");
    world.passes(5min);
    CHECK(younger.reason("warehouse") == "ConnectionConflict");
    platform.changes_key(platform.key());
    world.passes(1min);
    CHECK(older_holds());
    CHECK(omni.sent(warehouse) == "old");
}

// Its own OmniInstance being new is a reason to say nothing for a second, but Synced was said
// before.
TEST_CASE_FIXTURE(Rivals, "to an older one that is proved while its own OmniInstance is new") {
    omni.lists_take(older.key(), 1h);
    older.applies_instance();
    younger.applies_instance();
    both_apply();
    world.starts();
    REQUIRE(younger.in_step("warehouse", 80s));
    omni.lists_take(younger.key(), 1h);
    younger.deletes_instance();
    younger.applies_instance();
    omni.accepts("good-key");
    older.changes_key("good-key");
    CHECK(world.omni_gets(warehouse, "old", 20s));
    CHECK(older.in_step("warehouse"));
    CHECK(younger.sees("warehouse", "InstanceNotReady"));
}

TEST_SUITE_END();
