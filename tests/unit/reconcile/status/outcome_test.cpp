#include "reconcile/status/outcome.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;

TEST_CASE("a Secret that cannot be read: a right is missing only where the API server says so") {
    const kube::ObjectKey key{.ns = "team", .name = "db"};
    const auto reason_of = [&key](ErrorClass kind) {
        return secret_outcome(make_error(kind, "why"), key).reason;
    };
    CHECK(reason_of(ErrorClass::not_found) == reason::secret_not_found);
    CHECK(reason_of(ErrorClass::forbidden) == reason::secret_access_denied);
    CHECK(reason_of(ErrorClass::unavailable) == reason::progressing);
    const auto refused = secret_outcome(
        make_error(ErrorClass::unauthorized, "the API server does not accept the token"), key);
    CHECK(refused.reason == reason::progressing);
    CHECK(refused.message ==
          "Secret team/db could not be read: the API server does not accept the token");
}
