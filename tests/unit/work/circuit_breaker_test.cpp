// When requests are held back, and who tries.
#include "support/test_time.hpp"
#include "work/circuit_breaker.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace std::chrono_literals;
using work::CircuitBreaker;
using Change = CircuitBreaker::Change;

namespace {

using test::start;

} // namespace

TEST_CASE("it opens when three have failed without a success between, not when one fails thrice") {
    CircuitBreaker breaker;
    for (int i = 0; i < 10; ++i)
        CHECK(breaker.failed("a") == Change::none);
    CHECK(breaker.failed("b") == Change::none);
    CHECK(breaker.succeeded() == Change::none);
    CHECK(breaker.failed("c") == Change::none);
    CHECK(breaker.failed("a") == Change::none);
    CHECK(breaker.failed("b") == Change::opened);
    CHECK(breaker.failed("d") == Change::none);
    CHECK(breaker.open());
}

TEST_CASE("while it is open one at a time tries, after a pause; the first success closes it") {
    CircuitBreaker breaker;
    CHECK_FALSE(breaker.may_probe(start));
    for (const auto* key : {"a", "b", "c"})
        breaker.failed(key);
    breaker.pause(start + 1s);
    CHECK_FALSE(breaker.may_probe(start));
    CHECK(breaker.may_probe(start + 1s));
    breaker.begin_probe();
    CHECK_FALSE(breaker.may_probe(start + 1s));
    CHECK(breaker.probe_failed() == 1);
    breaker.pause(start + 3s);
    CHECK_FALSE(breaker.may_probe(start + 2s));
    breaker.begin_probe();
    CHECK(breaker.probe_failed() == 2);
    breaker.begin_probe();
    breaker.probe_undecided();
    CHECK(breaker.may_probe(start + 3s));
    CHECK(breaker.succeeded() == Change::closed);
    CHECK_FALSE(breaker.open());
    CHECK(breaker.failed("a") == Change::none);
}
