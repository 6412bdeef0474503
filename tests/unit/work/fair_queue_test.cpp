// Whose turn it is.
#include "work/fair_queue.hpp"

#include <doctest/doctest.h>

using namespace oco;
using work::FairQueue;
using work::RequestClass;
using work::RequestClassTraits;

namespace {

struct QueueOfTenants {
    FairQueue queue;

    void put(const std::string& flow, const std::string& key,
             RequestClass request_class = RequestClass::rotation) {
        queue.put({.key = key, .flow = flow, .request_class = request_class}, rt::TimePoint{});
    }

    // All who wait with this class, in their turn.
    std::string drain(RequestClass request_class = RequestClass::rotation) {
        std::string out;
        while (const auto* next = queue.next(request_class))
            out += queue.take(next->request.key).request.key;
        return out;
    }
};

} // namespace

TEST_CASE_FIXTURE(QueueOfTenants, "within a group by arrival, and the groups take turns") {
    for (const auto* key : {"a", "b", "c", "d"})
        put("one", key);
    put("two", "x");
    put("three", "p");
    put("three", "q");
    CHECK(drain() == "apxbqcd");
}

TEST_CASE_FIXTURE(QueueOfTenants,
                  "a group that had its turn comes after the others, also when it is new") {
    put("one", "a");
    put("one", "b");
    put("two", "x");
    CHECK(queue.take("a").request.key == "a");
    put("alone", "z");
    CHECK(drain() == "xzb");
}

TEST_CASE_FIXTURE(QueueOfTenants, "who asks again keeps the place, also with another class") {
    put("one", "a", RequestClass::settings);
    put("one", "b");
    put("one", "a");
    CHECK(queue.next(RequestClass::settings) == nullptr);
    CHECK(drain() == "ab");
    CHECK(queue.empty());
}

TEST_CASE_FIXTURE(QueueOfTenants, "who was taken out and waits again is where it was") {
    for (const auto* key : {"a", "b", "c"})
        put("one", key);
    const auto waiter = queue.take("a");
    put("one", "d");
    queue.put_back(waiter);
    CHECK(drain() == "abcd");
}

TEST_CASE_FIXTURE(QueueOfTenants, "who has waited longest, of those that fit") {
    put("one", "list", RequestClass::lookup);
    put("two", "role", RequestClass::settings);
    put("one", "password");
    const auto any = [](const RequestClassTraits&) {
        return true;
    };
    const auto push = [](const RequestClassTraits& request_class) {
        return request_class.push;
    };
    CHECK(queue.oldest(any)->request.key == "list");
    CHECK(queue.oldest(push)->request.key == "role");
    queue.remove("role");
    queue.remove("nobody");
    CHECK(queue.oldest(push)->request.key == "password");
    queue.remove("password");
    CHECK(queue.oldest(push) == nullptr);
}

TEST_CASE_FIXTURE(QueueOfTenants, "how many go before") {
    for (const auto* key : {"a", "b", "c", "d"})
        put("one", key);
    put("two", "x");
    put("two", "role", RequestClass::settings);
    CHECK(queue.ahead_of("a") <= 1);
    CHECK(queue.ahead_of("d") == 4); // a, b, c and x
    CHECK(queue.ahead_of("x") == 1);
    CHECK(queue.ahead_of("role") == 5);
    CHECK(queue.ahead_of("nobody") == 0);
}
