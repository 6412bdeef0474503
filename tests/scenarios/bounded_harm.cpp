// What one tenant, or one host, can cost the others: their rotations are late by a second at most.
// Prints a table.
#include "world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

using namespace oco::scenarios;
using oco::rt::Duration;

namespace {

constexpr Duration bound = 1s;
const std::string requested_at = "reconcile.omniconnection.io/requestedAt";
const std::string force_at = "reconcile.omniconnection.io/forceAt";

// "calm" has one connection, with a key of its own or with the one that "busy" has, too.
struct Neighbours {
    World world;
    Omni& omni = world.omni;
    Tenant& busy = world.tenant("busy");
    Tenant& calm = world.tenant("calm");
    std::string warehouse = omni.creates("Warehouse");
    int rotations = 0;
    Duration longest{};

    void share_key(int limit) {
        omni.limits(limit);
        busy.applies_instance({.limit = limit, .allows = all_namespaces()});
        add_calm("busy");
    }

    void have_own_keys() {
        busy.applies_instance();
        calm.applies_instance();
        add_calm("calm");
    }

    void add_calm(const std::string& instance_of) {
        calm.writes("db", "calm-0");
        calm.applies(
            {.name = "warehouse", .id = warehouse, .secret = "db", .instance_of = instance_of});
    }

    // `count` connections of the busy tenant; their ids.
    std::vector<std::string> add_busy(int count, const std::string& instance = "omni") {
        std::vector<std::string> ids;
        for (int i = 0; i < count; ++i) {
            const std::string name = instance + "-" + std::to_string(i);
            ids.push_back(omni.creates(name));
            busy.writes(name, "busy-0");
            busy.applies({.name = name, .id = ids.back(), .secret = name, .instance = instance});
        }
        return ids;
    }

    // The calm tenant rotates; how late it is.
    void rotates() {
        const std::string value = "calm-" + std::to_string(++rotations);
        const auto from = world.now();
        calm.writes("db", value);
        CHECK(world.omni_gets(warehouse, value, 10min));
        longest = std::max(longest, Duration(world.now() - from));
    }

    // Every `pause`, for `times`.
    void keeps_rotating(int times, Duration pause) {
        for (int i = 0; i < times; ++i) {
            world.passes(pause);
            rotates();
        }
    }

    void report(const char* trouble) const {
        using Milliseconds = std::chrono::duration<double, std::milli>;
        std::printf("  %-66s at most %5.0f ms, bound %5.0f ms\n", trouble,
                    Milliseconds(longest).count(), Milliseconds(bound).count());
        CHECK(longest <= bound);
    }
};

} // namespace

TEST_SUITE_BEGIN("what one can cost the others");

TEST_CASE_FIXTURE(Neighbours, "connections that always fail, with the same key") {
    share_key(60);
    for (const auto& id : add_busy(20))
        omni.each_push(id, refused_with(500));
    world.starts();
    world.passes(2min); // the start itself uses the budget up
    keeps_rotating(15, 61s);
    report("20 connections that answer 500, on the same key");
}

TEST_CASE_FIXTURE(Neighbours, "connections that never answer, with the same key") {
    share_key(60);
    for (const auto& id : add_busy(10))
        omni.each_push(id, unanswered());
    world.starts();
    world.passes(3min);
    keeps_rotating(15, 61s);
    report("10 connections that never answer, on the same key");
}

TEST_CASE_FIXTURE(Neighbours, "PATCHes that hang take no worker from others") {
    have_own_keys();
    world.starts();
    for (const char* name : {"first", "second", "third"}) {
        busy.applies_instance({.name = name,
                               .key = std::string("key-of-") + name,
                               .key_secret = std::string("key-") + name});
        for (const auto& id : add_busy(70, name))
            omni.each_push(id, unanswered());
    }
    world.passes(2s);
    keeps_rotating(10, 6s);
    report("3 keys with 70 PATCHes each that hang");
}

TEST_CASE_FIXTURE(Neighbours, "a host that never answers") {
    have_own_keys();
    world.starts();
    world.passes(1min);
    world.other_omni.accepts_connections(oco::sim::Accept::never_answer);
    for (int i = 0; i < 100; ++i)
        busy.applies_instance({.name = "silent-" + std::to_string(i),
                               .key = "key-" + std::to_string(i),
                               .key_secret = "key-" + std::to_string(i),
                               .host = other_host});
    world.passes(500ms);
    for (int i = 0; i < 10; ++i) {
        // A new key is taken up, and then a rotation goes with it.
        const auto from = world.now();
        const std::string key = "key-of-calm-" + std::to_string(i);
        omni.accepts(key);
        calm.changes_key(key);
        CHECK(world.happens([&] { return calm.instance_reason() == "Synced"; }, 5min));
        longest = std::max(longest, Duration(world.now() - from));
        rotates();
        world.passes(7s);
    }
    report("100 OmniInstances at a host that never answers");
}

TEST_CASE_FIXTURE(Neighbours, "annotations that change four times a second") {
    share_key(60);
    add_busy(5);
    world.starts();
    world.passes(3min);
    for (int i = 0; i < 240; ++i) {
        for (int place = 0; place < 5; ++place) {
            const std::string name = "omni-" + std::to_string(place);
            busy.annotates(name, requested_at, std::to_string(i));
            busy.annotates(name, force_at, std::to_string(i));
        }
        world.passes(250ms);
        if (i % 20 == 19)
            rotates();
    }
    report("5 objects whose two annotations change 4 times a second");
}

TEST_CASE_FIXTURE(Neighbours, "many objects that are all forced at once") {
    share_key(60);
    add_busy(60);
    world.starts();
    world.passes(5min);
    for (int i = 0; i < 60; ++i)
        busy.annotates("omni-" + std::to_string(i), force_at, "now");
    world.passes(1s);
    keeps_rotating(3, 5s);
    report("60 objects forced at once, on the same key");
}

TEST_SUITE_END();
