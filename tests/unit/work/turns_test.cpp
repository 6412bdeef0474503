// Whose turn it is.
#include "work/turns.hpp"

#include <doctest/doctest.h>

using namespace oco;
using work::Errand;
using work::ErrandTraits;
using work::Turns;

namespace {

struct TurnsFixture {
    Turns turns;

    void put(const std::string& group, const std::string& key, Errand errand = Errand::rotation) {
        turns.put({.key = key, .group = group, .errand = errand}, rt::TimePoint{});
    }

    // All who wait with this errand, in their turn.
    std::string drain(Errand errand = Errand::rotation) {
        std::string out;
        while (const auto* next = turns.next(errand))
            out += turns.take(next->wish.key).wish.key;
        return out;
    }
};

} // namespace

TEST_CASE_FIXTURE(TurnsFixture, "within a group by arrival, and the groups take turns") {
    for (const auto* key : {"a", "b", "c", "d"})
        put("one", key);
    put("two", "x");
    put("three", "p");
    put("three", "q");
    CHECK(drain() == "apxbqcd");
}

TEST_CASE_FIXTURE(TurnsFixture,
                  "a group that had its turn comes after the others, also when it is new") {
    put("one", "a");
    put("one", "b");
    put("two", "x");
    CHECK(turns.take("a").wish.key == "a");
    put("alone", "z");
    CHECK(drain() == "xzb");
}

TEST_CASE_FIXTURE(TurnsFixture, "who asks again keeps the place, also with another errand") {
    put("one", "a", Errand::settings);
    put("one", "b");
    put("one", "a");
    CHECK(turns.next(Errand::settings) == nullptr);
    CHECK(drain() == "ab");
    CHECK(turns.empty());
}

TEST_CASE_FIXTURE(TurnsFixture, "who was taken out and waits again is where it was") {
    for (const auto* key : {"a", "b", "c"})
        put("one", key);
    const auto place = turns.take("a");
    put("one", "d");
    turns.put_back(place);
    CHECK(drain() == "abcd");
}

TEST_CASE_FIXTURE(TurnsFixture, "who has waited longest, of those that fit") {
    put("one", "list", Errand::lookup);
    put("two", "role", Errand::settings);
    put("one", "password");
    const auto any = [](const ErrandTraits&) {
        return true;
    };
    const auto push = [](const ErrandTraits& errand) {
        return errand.push;
    };
    CHECK(turns.oldest(any)->wish.key == "list");
    CHECK(turns.oldest(push)->wish.key == "role");
    turns.remove("role");
    turns.remove("nobody");
    CHECK(turns.oldest(push)->wish.key == "password");
    turns.remove("password");
    CHECK(turns.oldest(push) == nullptr);
}

TEST_CASE_FIXTURE(TurnsFixture, "how many go before") {
    for (const auto* key : {"a", "b", "c", "d"})
        put("one", key);
    put("two", "x");
    put("two", "role", Errand::settings);
    CHECK(turns.ahead_of("a") <= 1);
    CHECK(turns.ahead_of("d") == 4); // a, b, c and x
    CHECK(turns.ahead_of("x") == 1);
    CHECK(turns.ahead_of("role") == 5);
    CHECK(turns.ahead_of("nobody") == 0);
}
