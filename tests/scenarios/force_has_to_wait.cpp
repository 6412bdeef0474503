// The annotation forceAt sends all that an object manages again. Its token is in the status once
// that was done, or once the status says what it is for a person to change; what can't be sent now
// is sent when it can be.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct Forced : Rivals {
    Forced() {
        older.applies_instance();
        younger.applies_instance();
        older_applies({.role = "VIEWER"});
        world.starts();
        REQUIRE(older.in_step("warehouse"));
        world.passes(2min);
    }

    static void forces(Tenant& tenant, const std::string& token) {
        tenant.annotates("warehouse", "reconcile.omniconnection.io/forceAt", token);
    }

    [[nodiscard]] static std::string handled(const Tenant& tenant) {
        return tenant.status_text("warehouse", {"lastHandledForceAt"});
    }

    [[nodiscard]] bool is_handled(const Tenant& tenant, const std::string& token,
                                  oco::rt::Duration within = 10s) {
        return world.happens([&] { return handled(tenant) == token; }, within);
    }

    void restarts() {
        world.stops();
        world.passes(5s);
        world.starts();
        world.passes(70s);
    }

    void suspends(bool suspended) const { older.changes("warehouse", {{"suspend", suspended}}); }

    // When the token shows, both fields were sent a second time.
    void check_done_for(const std::string& token, oco::rt::Duration within = 10s) {
        CHECK(is_handled(older, token, within));
        CHECK(omni.sent(warehouse) == "old old");
        CHECK(omni.roles_sent(warehouse) == "VIEWER VIEWER");
        world.passes(5min);
        CHECK(omni.sent(warehouse) == "old old"); // once
        CHECK(older.in_step("warehouse"));
    }
};

} // namespace

TEST_SUITE_BEGIN("a forced push has to wait");

TEST_CASE_FIXTURE(Forced, "for Omni's answer") {
    omni.answers_take(4s);
    forces(older, "one");
    world.passes(3s);
    CHECK(handled(older).empty());
    check_done_for("one");
}

TEST_CASE_FIXTURE(Forced, "until the object is resumed") {
    suspends(true);
    REQUIRE(older.sees("warehouse", "Suspended"));
    forces(older, "one");
    world.passes(2min);
    CHECK(handled(older).empty());
    CHECK(older.ready("warehouse") == "False"); // something is pending
    CHECK(omni.sent(warehouse) == "old");
    suspends(false);
    check_done_for("one");
}

TEST_CASE_FIXTURE(Forced, "until the object is resumed, by another process") {
    suspends(true);
    forces(older, "one");
    world.passes(1min);
    restarts();
    CHECK(handled(older).empty());
    suspends(false);
    check_done_for("one");
}

TEST_CASE_FIXTURE(Forced, "until its OmniInstance is resumed") {
    older.changes_instance({{"suspend", true}});
    REQUIRE(older.sees("warehouse", "Suspended"));
    forces(older, "one");
    world.passes(2min);
    CHECK(handled(older).empty());
    older.changes_instance({{"suspend", false}});
    check_done_for("one");
}

TEST_CASE_FIXTURE(Forced, "until the object is resumed, for the newest token") {
    suspends(true);
    forces(older, "one");
    world.passes(1min);
    forces(older, "two");
    world.passes(1min);
    CHECK(handled(older).empty());
    suspends(false);
    check_done_for("two");
}

TEST_CASE_FIXTURE(Forced, "until Omni works again") {
    omni.each_push(warehouse, refused_with(503));
    forces(older, "one");
    REQUIRE(older.sees("warehouse", "OmniUnavailable"));
    world.passes(2min);
    CHECK(handled(older).empty());
    omni.recovers();
    CHECK(is_handled(older, "one", 5min + 10s));
    CHECK(older.in_step("warehouse"));
}

TEST_CASE_FIXTURE(Forced, "until its Secret is there again") {
    older.deletes_secret("db");
    REQUIRE(older.sees("warehouse", "SecretNotFound"));
    forces(older, "one");
    world.passes(2min);
    CHECK(handled(older).empty());
    older.writes("db", "old");
    CHECK(is_handled(older, "one"));
    CHECK(omni.sent(warehouse) == "old old");
}

TEST_CASE_FIXTURE(Forced, "for nobody's sake: all it manages is another's, which is reported") {
    younger_applies();
    REQUIRE(younger.sees("warehouse", "ConnectionConflict"));
    forces(younger, "one");
    CHECK(is_handled(younger, "one"));
    CHECK(younger.reason("warehouse") == "ConnectionConflict");
    CHECK(omni.sent(warehouse) == "old");
    older.deletes("warehouse");
    CHECK(younger.in_step("warehouse", 70s)); // a new holder sends in any case
    CHECK(omni.sent(warehouse) == "old young");
}

TEST_CASE_FIXTURE(Forced, "in part: one of its fields is another's") {
    older.changes("warehouse", {{"baseRole", nullptr}});
    REQUIRE(older.sees("warehouse", "Synced"));
    younger_applies({.role = "MODELER"});
    REQUIRE(younger.sees("warehouse", "ConnectionConflict"));
    REQUIRE(world.happens([&] { return omni.role(warehouse) == "MODELER"; }));
    world.passes(1min);
    omni.answers_take(4s);
    forces(younger, "one");
    world.passes(3s);
    CHECK(handled(younger).empty()); // its role is on its way
    CHECK(is_handled(younger, "one"));
    CHECK(omni.roles_sent(warehouse) == "VIEWER MODELER MODELER");
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(Forced, "in part, and until the object is resumed") {
    older.changes("warehouse", {{"baseRole", nullptr}});
    younger_applies({.role = "MODELER"});
    REQUIRE(world.happens([&] { return omni.role(warehouse) == "MODELER"; }));
    world.passes(1min);
    younger.changes("warehouse", {{"suspend", true}});
    forces(younger, "one");
    world.passes(1min);
    CHECK(handled(younger).empty());
    younger.changes("warehouse", {{"suspend", false}});
    CHECK(is_handled(younger, "one"));
    CHECK(omni.roles_sent(warehouse) == "VIEWER MODELER MODELER");
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(Forced, "while it is not known who holds the connection") {
    younger_applies();
    REQUIRE(younger.sees("warehouse", "ConnectionConflict"));
    older.deletes("warehouse");
    REQUIRE(younger.in_step("warehouse", 70s));
    world.stops();
    world.passes(5s);
    omni.lists_take(8s);
    forces(younger, "one");
    world.starts();
    world.passes(5s);
    CHECK(is_handled(younger, "one", 70s));
    CHECK(omni.sent(warehouse) == "old young young");
}

TEST_SUITE_END();
