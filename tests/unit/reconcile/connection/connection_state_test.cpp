// What an object that turns to another connection takes along.
#include "reconcile/connection/connection_state.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using omni::Field;

TEST_CASE("what was learnt of one connection says nothing of another") {
    ConnectionState state;
    state.uid = "u";
    state.target = {.host = "h", .connection_id = "1"};
    state.status.dialect = "postgres";
    state.status.rejected = api::Rejected{.generation = 1, .digest = "d"};
    state.refusals.add("d");
    state.drift.judge(Field::base_role, true, test::start);
    state.not_found_at = test::start;
    state.key_doubt = {.refused_at = test::start, .message = "no", .retried = true};
    const Target next{.host = "h", .connection_id = "2"};
    state.turn_to(next);
    CHECK(state.target == next);
    CHECK(state.uid == "u");
    // Otherwise a service account's file could go to a database as its password.
    CHECK(state.status.dialect.empty());
    CHECK_FALSE(state.status.rejected);
    CHECK(state.refusals.empty());
    CHECK_FALSE(state.drift.corrects(Field::base_role));
    CHECK_FALSE(state.not_found_at);
    CHECK_FALSE(state.key_doubt.refused_at);
    CHECK_FALSE(state.key_doubt.retried);
}
