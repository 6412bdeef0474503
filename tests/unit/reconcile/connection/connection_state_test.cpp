// Attempts that were never answered, over the end of a process.
#include "reconcile/connection/connection_state.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using omni::Field;

namespace {

api::OmniConnection managing_all() {
    api::OmniConnection object;
    object.meta.generation = 7;
    object.credential = api::CredentialSpec{};
    object.base_role = "VIEWER";
    object.environment_user_attribute = omni::EnvironmentUserAttribute{};
    return object;
}

ConnectionState holding_all() {
    ConnectionState state;
    state.status.applied = {.target = {.host = "h", .connection_id = "c"},
                            .credential = api::AppliedCredential{.digest = "d"},
                            .base_role = api::AppliedBaseRole{.value = "VIEWER"},
                            .environment_user_attribute = api::AppliedEnvironmentUserAttribute{}};
    return state;
}

} // namespace

constexpr rt::TimePoint an_hour_on{std::chrono::hours(1)};

TEST_CASE("a PATCH that was cut is known to the next process as unanswered") {
    const auto object = managing_all();
    ConnectionState last = holding_all();
    last.in_flight = {Field::credential, Field::base_role};
    note_cut(last, object, an_hour_on, WallTime{});
    CHECK(last.in_flight.empty());
    CHECK(last.status.unanswered == FieldSet{Field::credential, Field::base_role});
    CHECK(!last.status.applied.credential);
    CHECK(!last.status.applied.base_role);
    CHECK(last.status.applied.environment_user_attribute);
    CHECK(last.status.applied.target.host == "h");
    const auto* ready = kube::find_condition(last.status.conditions, "Ready");
    REQUIRE(ready != nullptr);
    CHECK(ready->status == "Unknown");
    CHECK(ready->observed_generation == 7);

    ConnectionState next;
    next.status = last.status;
    recall_unanswered(next, an_hour_on);
    CHECK(next.unknown == FieldSet{Field::credential, Field::base_role});
    CHECK(unanswered_fields(next, object, an_hour_on) == next.unknown);
    CHECK(next.in_doubt.may_be_overwritten(Field::credential, "whatever is sent next", an_hour_on));
}

TEST_CASE(
    "what was accepted after an unanswered attempt is known, but the attempt may still land") {
    ConnectionState state = holding_all();
    state.status.unanswered = {Field::base_role};
    recall_unanswered(state, an_hour_on);
    CHECK(state.unknown.empty());
    CHECK(state.status.applied.base_role);
    CHECK(state.in_doubt.may_be_overwritten(Field::base_role, "another value", an_hour_on));
}

TEST_CASE("only fields that the object manages are told as unanswered") {
    auto object = managing_all();
    ConnectionState state;
    state.in_doubt.note(Field::base_role, "x", an_hour_on);
    CHECK(unanswered_fields(state, object, an_hour_on) == FieldSet{Field::base_role});
    object.base_role.reset();
    CHECK(unanswered_fields(state, object, an_hour_on).empty());
}

TEST_CASE("a value that was never answered may land for a minute, and contests every other") {
    InDoubtValues in_doubt;
    CHECK(!in_doubt.may_be_overwritten(Field::credential, "a", an_hour_on));
    CHECK(!in_doubt.next_change(an_hour_on));
    in_doubt.note(Field::credential, "a", an_hour_on);
    CHECK(!in_doubt.may_be_overwritten(Field::credential, "a", an_hour_on));
    CHECK(in_doubt.may_be_overwritten(Field::credential, "b", an_hour_on));
    CHECK(!in_doubt.may_be_overwritten(Field::base_role, "b", an_hour_on));
    in_doubt.note(Field::credential, "b", an_hour_on + std::chrono::seconds(30));
    CHECK(
        in_doubt.may_be_overwritten(Field::credential, "a", an_hour_on + std::chrono::seconds(60)));
    CHECK(!in_doubt.may_be_overwritten(Field::credential, "b",
                                       an_hour_on + std::chrono::seconds(60)));
    CHECK(in_doubt.next_change(an_hour_on) == an_hour_on + std::chrono::seconds(90));
    CHECK(in_doubt.fields(an_hour_on + std::chrono::seconds(89)) == FieldSet{Field::credential});
    CHECK(in_doubt.fields(an_hour_on + std::chrono::seconds(90)).empty());
}
