// What is known of all connections, and who sends to one.
#include "reconcile/connection/targets.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using namespace std::chrono_literals;
using omni::Field;

namespace {

const Target first_target{.host = "h", .connection_id = "1"};
const Target second_target{.host = "h", .connection_id = "2"};

void apply_role(TargetState& state, const std::string& uid, rt::TimePoint now) {
    state[Field::base_role].begin_sending(uid, "d");
    state[Field::base_role].accepted(api::AppliedBaseRole{}, now);
}

} // namespace

TEST_CASE("an object keeps what it holds, and the rest is void") {
    TargetState state;
    for (const Field field : all_fields) {
        state[field].begin_sending("a", "d");
        state[field].accepted(api::AppliedBaseRole{}, test::start);
    }
    state.release_all_but({Field::credential}, "b");
    CHECK(state.applied_by("a").size() == 3);
    state.release_all_but({Field::credential}, "a");
    CHECK(state.applied_by("a") == FieldSet{Field::credential});
    CHECK(state.applied_by("b").empty());
    state.release_all_but({}, "a");
    CHECK(state.applied_by("a").empty());
    CHECK(state.forgettable(test::start));
}

TEST_CASE("one PATCH at a time for each connection") {
    Targets targets;
    const ObjectKey one{.ns = "n", .name = "1"};
    const ObjectKey two{.ns = "n", .name = "2"};
    CHECK_FALSE(targets.under_way(first_target));
    targets.enter(first_target);
    CHECK(targets.under_way(first_target));
    CHECK_FALSE(targets.under_way(second_target));
    targets.wait_for(first_target, one);
    targets.wait_for(first_target, two);
    targets.wait_for(first_target, one);
    CHECK(targets.leave(first_target) == std::set{one, two});
    CHECK_FALSE(targets.under_way(first_target));
    CHECK(targets.leave(first_target).empty());
    targets.enter(first_target);
    CHECK(targets.leave(first_target).empty());
}

TEST_CASE("what nobody knows anything of is forgotten, unless somebody names it or sends to it") {
    Targets targets;
    targets.at(first_target);
    apply_role(targets.at(second_target), "a", test::start);
    targets.sweep({first_target}, test::start);
    CHECK(targets.find(first_target) != nullptr);
    CHECK(targets.find(second_target) != nullptr);
    targets.enter(first_target);
    targets.sweep({}, test::start);
    CHECK(targets.find(first_target) != nullptr);
    targets.leave(first_target);
    targets.sweep({}, test::start);
    CHECK(targets.find(first_target) == nullptr);
    targets.at(second_target).release_all_but({}, "a");
    targets.sweep({}, test::start);
    CHECK(std::as_const(targets).find(second_target) == nullptr);
}

TEST_CASE("a value that may arrive late outlives all who name the connection, for its minute") {
    Targets targets;
    FieldState& role = targets.at(first_target)[Field::base_role];
    role.begin_sending("a", "d");
    role.release("a");
    role.unanswered(LandsLate::maybe, test::start);
    targets.sweep({}, test::start + 59s);
    CHECK(targets.find(first_target) != nullptr);
    targets.sweep({}, test::start + 60s);
    CHECK(targets.find(first_target) == nullptr);
}

TEST_CASE("where something that was sent may still arrive, whoever sent it, is passed on") {
    Targets targets;
    CHECK(targets.unsettled(test::start).empty());
    targets.at(first_target)[Field::credential].doubt_until("gone", test::start + 60s);
    const std::string first = targets.unsettled(test::start + 59s);
    CHECK(first.size() == 16);
    CHECK(targets.unsettled(test::start + 60s).empty());
    FieldState& role = targets.at(second_target)[Field::base_role];
    role.begin_sending("a", "d");
    role.release("a"); // its object is deleted
    const std::string both = targets.unsettled(test::start + 59s);
    CHECK(both.size() == 33);
    CHECK(both.find(first) != std::string::npos);

    Targets next;
    next.at(first_target);
    next.suspect_until(test::start + 90s, first);
    CHECK(next.at(first_target)[Field::base_role].suspected(test::start + 89s));
    CHECK_FALSE(next.at(second_target)[Field::base_role].suspected(test::start));
    CHECK(next.unsettled(test::start + 89s) == first);
    CHECK(next.unsettled(test::start + 90s).empty());

    Targets of_a_crash;
    of_a_crash.suspect_until(test::start + 60s, Targets::everywhere);
    CHECK(of_a_crash.at(second_target)[Field::credential].suspected(test::start));
    CHECK(of_a_crash.unsettled(test::start) == "everywhere");

    Targets many;
    for (int i = 0; i < 100; ++i)
        many.at({.host = "h", .connection_id = std::to_string(i)})[Field::credential].doubt_until(
            "a", test::start + 60s);
    CHECK(many.unsettled(test::start) == "everywhere");
}
