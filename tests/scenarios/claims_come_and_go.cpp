// Older objects name the connection, and whether they may is not known, since their keys' lists get
// no answer. Each may be waited for, but whoever waits does so for a minute at most, however many
// of them come and go meanwhile.
#include "rivals.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

struct ProofsNeverCome : Rivals {
    static constexpr const char* blinking[] = {"first", "second"};

    // Two older objects, which name no OmniInstance that is there.
    ProofsNeverCome() {
        older.applies_instance();
        younger.applies_instance();
        omni.lists_take(older.key(), 1h);
        for (const char* name : blinking)
            older.applies({.name = name, .id = warehouse, .secret = "db", .instance = "absent"});
        world.starts();
        world.passes(2min);
    }

    void comes(const char* name) const {
        older.changes(name, {{"instanceRef", bj::object{{"name", "omni"}}}});
    }

    void goes(const char* name) const {
        older.changes(name, {{"instanceRef", bj::object{{"name", "absent"}}}});
    }

    // At any time one of the two is there, and neither for a minute. The first is there already.
    void take_turns_for(oco::rt::Duration duration) {
        for (const auto until = world.now() + duration; world.now() < until;) {
            world.passes(35s);
            comes(blinking[1]);
            world.passes(5s);
            goes(blinking[0]);
            world.passes(35s);
            comes(blinking[0]);
            world.passes(5s);
            goes(blinking[1]);
        }
    }

    void proofs_come() const {
        omni.accepts("another-key");
        older.changes_key("another-key"); // whose list gets an answer
    }

    [[nodiscard]] oco::rt::TimePoint first_push() const {
        const auto* first = omni.server.traffic.first(
            [](const Received& one) { return one.kind == RequestKind::push; });
        REQUIRE(first != nullptr);
        return first->time;
    }

    // By the younger, and by nobody else.
    void check_young_was_sent_by(oco::rt::TimePoint latest) {
        CHECK(first_push() <= latest);
        CHECK(omni.sent(warehouse).find("old") == std::string::npos);
        CHECK(younger.in_step("warehouse"));
    }
};

} // namespace

TEST_SUITE_BEGIN("claims come and go");

TEST_CASE_FIXTURE(ProofsNeverCome, "of two in turn: the younger waits for a minute") {
    comes(blinking[0]);
    world.passes(2s);
    younger_applies();
    const auto since = world.now();
    take_turns_for(5min);
    CHECK(first_push() > since + 55s); // it does wait
    check_young_was_sent_by(since + 65s);
    take_turns_for(10min); // and goes on, for it is the holder
    younger.writes("db", "young-2");
    take_turns_for(1min);
    CHECK(omni.sent(warehouse) == "young young-2");
    CHECK(younger.in_step("warehouse"));
}

TEST_CASE_FIXTURE(ProofsNeverCome, "of one whose OmniInstance is made again all the time") {
    comes(blinking[0]);
    world.passes(2s);
    younger_applies();
    const auto since = world.now();
    for (int i = 0; i < 20; ++i) {
        world.passes(20s);
        older.deletes_instance();
        older.applies_instance();
    }
    check_young_was_sent_by(since + 65s);
}

TEST_CASE_FIXTURE(ProofsNeverCome, "of one that goes and comes at once, all the time") {
    comes(blinking[0]);
    world.passes(2s);
    younger_applies();
    const auto since = world.now();
    for (int i = 0; i < 20; ++i) {
        world.passes(20s);
        goes(blinking[0]);
        comes(blinking[0]);
    }
    check_young_was_sent_by(since + 65s);
}

// That another connection was in doubt is no reason to wait for less.
TEST_CASE_FIXTURE(ProofsNeverCome, "of one that named another connection for a while") {
    const auto lake = omni.creates("Lake");
    older.changes(blinking[0], {{"connectionID", lake}});
    comes(blinking[0]);
    world.passes(50s);
    older.changes(blinking[0], {{"connectionID", warehouse}});
    const auto since = world.now();
    world.passes(2s);
    younger_applies();
    world.passes(70s);
    CHECK(first_push() > since + 55s);
    check_young_was_sent_by(since + 65s);
}

// As long as its own proof is missing, the younger has not waited for anybody else's.
TEST_CASE_FIXTURE(ProofsNeverCome, "of one that comes while the younger is not proved either") {
    younger.deletes_instance();
    omni.lists_take("slow-key", 1h);
    younger.applies_instance({.key = "slow-key"});
    younger_applies();
    world.passes(40s);
    comes(blinking[0]);
    const auto since = world.now();
    world.passes(10s);
    omni.accepts("key-that-reads");
    younger.changes_key("key-that-reads");
    world.passes(60s);
    CHECK(first_push() > since + 55s);
    check_young_was_sent_by(since + 65s);
}

TEST_CASE_FIXTURE(ProofsNeverCome, "until one is proved: it holds, and the younger sends nothing") {
    comes(blinking[0]);
    world.passes(2s);
    younger_applies();
    world.passes(30s);
    proofs_come();
    CHECK(world.omni_gets(warehouse, "old", 40s));
    CHECK(younger.sees("warehouse", "ConnectionConflict"));
    CHECK(omni.sent(warehouse) == "old");
}

TEST_CASE_FIXTURE(ProofsNeverCome, "until one is proved, after the younger has sent") {
    comes(blinking[0]);
    world.passes(2s);
    younger_applies();
    take_turns_for(3min);
    proofs_come();
    CHECK(world.omni_gets(warehouse, "old", 20s));
    CHECK(younger.sees("warehouse", "ConnectionConflict"));
    CHECK(younger.vouched("warehouse").empty());
    CHECK(omni.sent(warehouse) == "young old");
}

TEST_SUITE_END();
