#include "reconcile/connection/drift.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace std::chrono_literals;
using omni::Field;
using reconcile::Drift;
using Finding = reconcile::Drift::Finding;

namespace {

using test::start;

// A list from then on shows the field different, and it is set right.
void correct(Drift& drift, Field field, rt::TimePoint asked_at) {
    CHECK(drift.judge(field, true, asked_at).finding == Finding::differs);
    CHECK(drift.corrects(field));
    drift.pushed(field, asked_at + 1s);
    CHECK_FALSE(drift.corrects(field));
}

} // namespace

TEST_CASE("each list is news once") {
    Drift drift;
    const auto first = drift.judge(Field::base_role, false, start);
    CHECK(first.finding == Finding::in_step);
    CHECK(first.news);
    const auto requeue_at = drift.judge(Field::base_role, false, start);
    CHECK(requeue_at.finding == Finding::in_step);
    CHECK_FALSE(requeue_at.news);
    CHECK(drift.judge(Field::base_role, true, start + 1s).news);
}

TEST_CASE("a list that was asked for before the push tells nothing") {
    Drift drift;
    drift.pushed(Field::base_role, start);
    CHECK(drift.judge(Field::base_role, true, start - 1s).finding == Finding::unknown);
    CHECK(drift.judge(Field::base_role, true, start).finding == Finding::unknown);
    CHECK(drift.judge(Field::base_role, true, start + 1s).finding == Finding::differs);
    CHECK(drift.judge(Field::environment_user_attribute, true, start).finding == Finding::differs);
}

TEST_CASE("corrections that do not last are given up, until somebody asks for more") {
    Drift drift;
    correct(drift, Field::base_role, start);
    correct(drift, Field::base_role, start + 1h);
    CHECK(drift.judge(Field::base_role, true, start + 2h).finding == Finding::given_up);
    CHECK(drift.given_up());
    CHECK_FALSE(drift.corrects(Field::base_role));
    CHECK(drift.judge(Field::base_role, true, start + 3h).finding == Finding::given_up);
    drift.begin_again();
    CHECK_FALSE(drift.given_up());
    correct(drift, Field::base_role, start + 4h);
}

TEST_CASE("a correction that lasted makes the count begin again") {
    Drift drift;
    for (int day = 0; day < 10; ++day) {
        const auto now = start + day * 24h;
        correct(drift, Field::base_role, now);
        CHECK(drift.judge(Field::base_role, false, now + 1h).finding == Finding::in_step);
    }
    CHECK_FALSE(drift.given_up());
}

TEST_CASE("a push for another reason is no correction") {
    Drift drift;
    for (int i = 0; i < 5; ++i)
        drift.pushed(Field::base_role, start + i * 1s);
    CHECK(drift.judge(Field::base_role, true, start + 1min).finding == Finding::differs);
}
