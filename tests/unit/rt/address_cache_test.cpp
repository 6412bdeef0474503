// Which addresses are kept, for how long, and in which order they are tried.
#include "rt/address_cache.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace std::chrono_literals;

namespace {

rt::Addresses list(std::initializer_list<const char*> texts) {
    rt::Addresses out;
    for (const char* text : texts)
        out.push_back(asio::ip::make_address(text));
    return out;
}

} // namespace

TEST_CASE("addresses: IPv6 and IPv4 take turns") {
    CHECK(rt::take_turns(list({"::1", "::2", "::3"}), list({"10.0.0.1"})) ==
          list({"::1", "10.0.0.1", "::2", "::3"}));
    CHECK(rt::take_turns({}, list({"10.0.0.2", "10.0.0.1"})) == list({"10.0.0.2", "10.0.0.1"}));
    CHECK(rt::take_turns({}, {}).empty());
    CHECK(rt::take_turns(rt::Addresses(40), rt::Addresses(40)).size() == rt::max_addresses);
}

TEST_CASE("addresses: kept for their time, which has bounds") {
    rt::AddressCache cache;
    const rt::TimePoint now{};
    cache.put("short", list({"10.0.0.1"}), 0s, now);
    cache.put("usual", list({"10.0.0.2"}), 5s, now);
    cache.put("long", list({"10.0.0.3"}), 24h, now);
    REQUIRE(cache.find("short", now + 999ms) != nullptr);
    CHECK(*cache.find("short", now) == list({"10.0.0.1"}));
    CHECK(cache.find("short", now + 1s) == nullptr);
    CHECK(cache.find("usual", now + 4s) != nullptr);
    CHECK(cache.find("usual", now + 5s) == nullptr);
    CHECK(cache.find("long", now + 29s) != nullptr);
    CHECK(cache.find("long", now + 30s) == nullptr);
    CHECK(cache.find("unknown", now) == nullptr);
    cache.put("long", list({"10.0.0.4"}), 5s, now + 29s);
    CHECK(*cache.find("long", now + 33s) == list({"10.0.0.4"}));
    cache.forget("long");
    CHECK(cache.find("long", now + 33s) == nullptr);
}

TEST_CASE("addresses: when there are too many, those that end first go") {
    rt::AddressCache cache;
    const rt::TimePoint now{};
    cache.put("soon", list({"10.0.0.1"}), 2s, now);
    for (std::size_t i = 0; i < rt::AddressCache::max_hosts; ++i)
        cache.put("host" + std::to_string(i), list({"10.0.0.2"}), 20s, now);
    CHECK(cache.find("soon", now) == nullptr);
    CHECK(cache.find("host0", now) != nullptr);
}
