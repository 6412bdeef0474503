// The OmniInstance is deleted while the operator waits for an answer that concerns it, and made
// again. Under AddressSanitizer these also show that nobody looks at what is gone.
#include "budget_world.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::sim;
using namespace std::chrono_literals;

namespace {

constexpr int limit = 300;

// One OmniConnection, in step with Omni, which takes three seconds for each answer.
struct InStep {
    InStep() {
        world.add_instance("team-a", limit);
        world.add_connections({.ns = "team-a"});
        REQUIRE(world.start());
        world.omni.least_answer_time = world.omni.most_answer_time = 3s;
    }

    void delete_instance() { REQUIRE(world.kube.remove("omniinstances", "team-a", "omni")); }

    void make_instance(const std::string& secret = "key") {
        world.kube.apply(
            "omniinstances", "team-a", "omni",
            {{"spec",
              bj::object{{"baseURL", "http://" + omni_host},
                         {"apiTokenSecretRef", bj::object{{"name", secret}, {"key", "token"}}},
                         {"rateLimit", bj::object{{"requestsPerMinute", limit}}}}}});
    }

    // Until a request of this kind has arrived, whose answer is still on its way.
    void advance_to_next(RequestKind kind) {
        const auto known = count(kind);
        REQUIRE(world.advance_until([&] { return count(kind) > known; }, 1min));
    }

    [[nodiscard]] std::size_t count(RequestKind kind) const {
        return world.omni.traffic.count(
            [kind](const Received& received) { return received.kind == kind; });
    }

    [[nodiscard]] std::size_t pushes() const { return count(RequestKind::push); }

    BudgetWorld world{1, {.requests_per_minute = limit}, {}};
};

} // namespace

TEST_CASE_FIXTURE(InStep, "OmniInstance deleted while a PATCH is under way") {
    world.rotate(0);
    advance_to_next(RequestKind::push);
    delete_instance();
    world.advance(5s);
    CHECK(world.delivered(0));
    CHECK(world.reason(0) == "InstanceNotFound");

    make_instance();
    CHECK(world.advance_until([&] { return world.in_step(0); }, 10s));
    CHECK(pushes() == 1); // what Omni accepted was not forgotten
}

TEST_CASE_FIXTURE(InStep, "OmniInstance deleted and made again while a PATCH is under way") {
    world.rotate(0);
    advance_to_next(RequestKind::push);
    delete_instance();
    make_instance();
    CHECK(world.advance_until([&] { return world.in_step(0); }, 10s));
    CHECK(pushes() == 1);
}

TEST_CASE_FIXTURE(InStep, "OmniInstance deleted while a PATCH is under way that Omni refuses") {
    world.omni.engine.faults().add(answering(422, world.objects()[0].connection_id));
    world.rotate(0);
    advance_to_next(RequestKind::push);
    delete_instance();
    world.advance(5s);
    CHECK(world.reason(0) == "InstanceNotFound");

    make_instance();
    CHECK(world.advance_until([&] { return world.reason(0) == "Rejected"; }, 10s));
    CHECK(pushes() == 1); // refused as it is, it is not sent again
}

TEST_CASE_FIXTURE(InStep, "OmniInstance deleted while the list of connections is read") {
    delete_instance();
    world.advance(1s);
    make_instance();
    advance_to_next(RequestKind::list);
    delete_instance();
    world.rotate(0);
    world.advance(5s);
    CHECK(world.reason(0) == "InstanceNotFound");
    CHECK(pushes() == 0);

    make_instance();
    CHECK(world.advance_until([&] { return world.in_step(0); }, 10s));
}

TEST_CASE_FIXTURE(InStep, "OmniInstance deleted while its key is read") {
    delete_instance();
    world.advance(1s);
    world.kube.on_request = [this](const HttpRequest& request) {
        if (request.path == "/api/v1/namespaces/team-a/secrets/key")
            world.kube.trouble.next_answer_takes = 2s;
    };
    make_instance();
    world.advance(1s);
    delete_instance();
    world.advance(5s);
    CHECK(world.reason(0) == "InstanceNotFound");

    make_instance();
    CHECK(world.advance_until([&] { return world.in_step(0); }, 10s));
    CHECK(world.instance_reason("team-a") == "Synced");
}

TEST_CASE_FIXTURE(InStep,
                  "a refusal of the old key tells nothing of the key of a new OmniInstance") {
    world.revoke_key();
    world.rotate(0);
    advance_to_next(RequestKind::push); // 401 is on its way
    world.omni.least_answer_time = world.omni.most_answer_time = 10ms;
    delete_instance();
    world.replace_key();
    make_instance();
    CHECK(world.advance_until([&] { return world.in_step(0); }, 10s));
    CHECK(count(RequestKind::whoami) == 0);
}
