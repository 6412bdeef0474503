#include "reconcile/account/used_slots.hpp"
#include "support/sim_runtime.hpp"
#include "work/rate_budget.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace std::chrono_literals;

namespace {

api::OmniConnection::Status pushed(std::optional<WallTime> credential, std::optional<WallTime> role,
                                   std::optional<WallTime> last) {
    api::OmniConnection::Status out;
    if (credential)
        out.applied.credential = api::AppliedCredential{.pushed_at = format_rfc3339(*credential)};
    if (role)
        out.applied.base_role = api::AppliedBaseRole{.pushed_at = format_rfc3339(*role)};
    if (last)
        out.last_push_time = format_rfc3339(*last);
    return out;
}

} // namespace

TEST_CASE("which requests of earlier processes count in the budget") {
    const test::SimRuntime runtime;
    const auto now = runtime.now();
    const auto wall = runtime.wall_now();
    using Times = std::vector<rt::TimePoint>;

    struct Row {
        const char* name;
        api::OmniConnection::Status status;
        Times answered;
    };

    const Row rows[] = {
        {"nothing was ever pushed", {}, {}},
        {"one PATCH with two fields", pushed(wall - 10s, wall - 10s, wall - 10s), {now - 9s}},
        {"two PATCHes", pushed(wall - 30s, wall - 10s, wall - 10s), {now - 29s, now - 9s}},
        {"one that counts as applied only later", pushed({}, {}, wall - 5s), {now - 4s}},
        {"a minute and a second ago, cut to whole seconds",
         pushed(wall - 61s, {}, {}),
         {now - 60s}},
        {"longer ago", pushed(wall - 62s, wall - 3600s, wall - 62s), {}},
        {"in the future", pushed(wall + 300s, {}, {}), {now}},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        Times busy_until;
        for (const auto answered : row.answered)
            busy_until.push_back(answered + work::RateBudget::window);
        CHECK(reconcile::used_slots(row.status, runtime) == busy_until);
    }
}

TEST_CASE("an attempt whose answer never came may have been sent just now") {
    const test::SimRuntime runtime;
    api::OmniConnection::Status status;
    status.unanswered.insert(omni::Field::credential);
    CHECK(reconcile::used_slots(status, runtime) ==
          std::vector<rt::TimePoint>{runtime.now() + work::RateBudget::unanswered_window});
}
