// Attempts that were never answered, over the end of a process.
#include "reconcile/memory.hpp"

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

Memory holding_all() {
    Memory memory;
    memory.status.applied = {.target = {.host = "h", .connection_id = "c"},
                             .credential = api::AppliedCredential{.digest = "d"},
                             .base_role = api::AppliedBaseRole{.value = "VIEWER"},
                             .environment_user_attribute = api::AppliedEnvironmentUserAttribute{}};
    return memory;
}

} // namespace

TEST_CASE("a PATCH that was cut is known to the next process as unanswered") {
    const auto object = managing_all();
    Memory last = holding_all();
    last.in_flight = {Field::credential, Field::base_role};
    note_cut(last, object, WallTime{});
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

    Memory next;
    next.status = last.status;
    recall_unanswered(next);
    CHECK(next.unknown == FieldSet{Field::credential, Field::base_role});
    CHECK(unanswered_fields(next, object) == next.unknown);
    // No value's digest: whatever is sent next settles.
    CHECK(next.unanswered[Field::credential].size() == 1);
    CHECK(next.unanswered[Field::credential].begin()->size() != 64);
}

TEST_CASE("what a notice of silence left behind is not trusted") {
    Memory memory = holding_all();
    memory.status.unanswered = {Field::environment_user_attribute};
    recall_unanswered(memory);
    CHECK(memory.status.applied.credential);
    CHECK(!memory.status.applied.environment_user_attribute);
    CHECK(memory.unknown == FieldSet{Field::environment_user_attribute});
}

TEST_CASE("only fields that the object manages are told as unanswered") {
    auto object = managing_all();
    Memory memory;
    memory.unanswered[Field::base_role] = {"x"};
    memory.unanswered[Field::credential] = {}; // settled
    CHECK(unanswered_fields(memory, object) == FieldSet{Field::base_role});
    object.base_role.reset();
    CHECK(unanswered_fields(memory, object).empty());
}
