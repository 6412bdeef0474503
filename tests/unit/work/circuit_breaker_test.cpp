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
        CHECK(breaker.failed("a", start) == Change::none);
    CHECK(breaker.failed("b", start) == Change::none);
    CHECK(breaker.succeeded("d") == Change::none);
    for (const auto* key : {"c", "e"})
        CHECK(breaker.failed(key, start) == Change::none);
    CHECK(breaker.failed("f", start) == Change::opened);
    CHECK(breaker.failed("d", start) == Change::none);
    CHECK(breaker.open());
}

TEST_CASE("who goes on failing after another's success fails by itself, until its own success") {
    CircuitBreaker breaker;
    for (const auto* key : {"a", "b", "c"})
        breaker.failed(key, start);
    CHECK(breaker.succeeded("d") == Change::closed);
    CHECK(breaker.fails("a"));
    CHECK_FALSE(breaker.fails_by_itself("a"));
    for (int i = 0; i < 10; ++i)
        for (const auto* key : {"a", "b", "c"})
            CHECK(breaker.failed(key, start) == Change::none);
    for (const auto* key : {"a", "b", "c"}) {
        CHECK(breaker.fails(key));
        CHECK(breaker.fails_by_itself(key));
        breaker.succeeded(key);
        CHECK_FALSE(breaker.fails(key));
        CHECK_FALSE(breaker.fails_by_itself(key));
    }
    breaker.failed("a", start);
    breaker.failed("b", start);
    CHECK(breaker.failed("c", start) == Change::opened);
}

TEST_CASE("what has failed once, long ago, is forgotten") {
    CircuitBreaker breaker;
    breaker.failed("a", start);
    breaker.failed("b", start + 2 * CircuitBreaker::failure_remembered + 1s);
    CHECK_FALSE(breaker.fails("a"));
    CHECK(breaker.fails("b"));
}

TEST_CASE("while it is open, one that does not fail may be tried after 1 s, then one each 20 s") {
    CircuitBreaker breaker;
    for (const auto* key : {"a", "b", "c"})
        breaker.failed(key, start);
    CHECK(breaker.next_fresh() == start + 1s);
    breaker.begin_fresh(start + 5s);
    CHECK(breaker.next_fresh() == start + 25s);
}

TEST_CASE("while it is open one at a time tries, after a pause; the first success closes it") {
    CircuitBreaker breaker;
    CHECK_FALSE(breaker.may_probe(start));
    for (const auto* key : {"a", "b", "c"})
        breaker.failed(key, start);
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
    CHECK(breaker.succeeded("d") == Change::closed);
    CHECK_FALSE(breaker.open());
    CHECK(breaker.failed("a", start) == Change::none);
}
