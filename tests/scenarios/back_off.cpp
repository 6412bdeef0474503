// Omni fails: it is tried again, ever more rarely, and at once when there is something new.
#include "world.hpp"

#include <doctest/doctest.h>

using namespace oco::scenarios;

namespace {

// Omni fails with 503 whenever something is sent to the first of two connections.
struct OneFails {
    World world;
    Omni& omni = world.omni;
    std::string failing = omni.creates("Failing");
    std::string fine = omni.creates("Fine");
    Tenant& sales = world.tenant("sales");

    OneFails() {
        sales.applies_instance();
        sales.writes("failing", "alfa");
        sales.writes("fine", "alfa");
        sales.applies({.name = "failing", .id = failing, .secret = "failing"});
        sales.applies({.name = "fine", .id = fine, .secret = "fine"});
        omni.each_push(failing, refused_with(503));
        world.starts();
        REQUIRE(sales.in_step("fine"));
        REQUIRE(sales.sees("failing", "OmniUnavailable"));
    }

    [[nodiscard]] std::size_t attempts() const {
        return omni.server.traffic.count(
            [this](const Received& one) { return one.push.connection_id == failing; });
    }

    [[nodiscard]] std::int64_t failures() const {
        const auto* count = sales.status("failing").if_contains("failures");
        return count == nullptr ? 0 : count->as_int64();
    }
};

} // namespace

TEST_SUITE_BEGIN("back-off");

TEST_CASE_FIXTURE(OneFails, "grows to five minutes and ends within them") {
    world.passes(10min);
    const auto before = attempts();
    CHECK(before >= 8);
    world.passes(1h);
    CHECK(attempts() - before >= 12);
    CHECK(attempts() - before <= 60); // full jitter: two and a half minutes on average
    omni.recovers();
    CHECK(world.omni_gets(failing, "alfa", 5min));
    CHECK(sales.in_step("failing"));
    CHECK(failures() == 0);
}

TEST_CASE_FIXTURE(OneFails, "does not hold up the others") {
    world.passes(30min);
    sales.writes("fine", "bravo");
    CHECK(world.omni_gets(fine, "bravo", 1s));
}

TEST_CASE_FIXTURE(OneFails, "does not hold up a new value") {
    world.passes(30min);
    omni.recovers();
    sales.writes("failing", "bravo");
    CHECK(world.omni_gets(failing, "bravo", 1s));
}

TEST_CASE_FIXTURE(OneFails, "goes on across a restart") {
    world.passes(30min);
    const auto failed = failures();
    CHECK(failed >= 7);
    world.stops();
    world.passes(5s);
    const auto before = attempts();
    world.starts();
    world.passes(30min);
    CHECK(failures() > failed);
    CHECK(attempts() - before <= 40); // and does not begin again with a second
    CHECK(attempts() - before >= 6);
}

TEST_CASE_FIXTURE(OneFails, "across a restart is five minutes at most, whatever the status says") {
    world.passes(10min);
    world.stops();
    world.passes(5s);
    omni.recovers();
    world.kube.merge("omniconnections", "sales", "failing",
                     {{"status", bj::object{{"nextAttemptTime", "2099-01-01T00:00:00Z"}}}});
    world.starts();
    CHECK(world.omni_gets(failing, "alfa", 5min + 20s));
}

TEST_CASE_FIXTURE(OneFails, "of a certificate that is not trusted ends when it is") {
    omni.accepts_connections(oco::sim::Accept::bad_certificate);
    sales.writes("fine", "bravo");
    world.passes(30min); // longer than connections are kept
    sales.writes("fine", "charlie");
    CHECK(sales.sees("fine", "TLSVerificationFailed"));
    omni.recovers();
    CHECK(world.omni_gets(fine, "charlie", 5min + 10s));
    CHECK(world.omni_gets(failing, "alfa", 5min + 10s));
}

TEST_CASE_FIXTURE(OneFails, "of all, while Omni is down for an hour") {
    for (int i = 0; i < 8; ++i) {
        const auto name = "more-" + std::to_string(i);
        sales.applies({.name = name, .id = omni.creates(name), .secret = "fine"});
        REQUIRE(sales.in_step(name));
    }
    omni.everything(refused_with(503));
    sales.writes("fine", "bravo");
    world.passes(5min);
    const auto before = omni.server.traffic.all().size();
    world.passes(1h);
    CHECK(omni.server.traffic.all().size() - before <= 360); // one at a time

    omni.recovers();
    CHECK(world.omni_is_asked(RequestKind::push, 35s));
    CHECK(world.omni_gets(fine, "bravo", 5min)); // by its own back-off at the latest
    for (int i = 0; i < 8; ++i)
        CHECK(sales.in_step("more-" + std::to_string(i), 5min));
}

TEST_SUITE_END();
