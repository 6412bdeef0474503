// Whether a replica may take the Lease, on passed-in time.
#include "kube/lease_view.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::kube;
using namespace std::chrono_literals;

namespace {

using test::start;
using Taken = std::optional<Takeover>;

LeaseRecord held_by(std::string holder, std::string version, rt::Duration duration = 15s) {
    return {.resource_version = std::move(version),
            .holder = std::move(holder),
            .transitions = 3,
            .duration = duration};
}

} // namespace

TEST_CASE("whether the Lease may be taken") {
    struct Look {
        rt::Duration asked; // since the start; the answer comes a second later
        LeaseRecord found;
    };

    struct Row {
        const char* name;
        std::vector<Look> looks;
        Taken taken; // after the last look
    };

    const LeaseRecord none;
    LeaseRecord unsettled = held_by("", "5", 1s);
    unsettled.unsettled = "a b";
    const Row rows[] = {
        {"there never was one", {{0s, none}}, Takeover::none},
        {"released", {{0s, held_by("", "5", 1s)}}, Takeover::clean},
        {"released, and not all is settled", {{0s, unsettled}}, Takeover::unsettled},
        {"released while we looked",
         {{0s, held_by("a", "5")}, {2s, held_by("", "6", 1s)}},
         Takeover::clean},
        {"emptied by somebody: it may be held still",
         {{0s, held_by("a", "5")}, {2s, held_by("", "6")}, {16s, held_by("", "6")}},
         std::nullopt},
        {"emptied by somebody, a term ago",
         {{0s, held_by("a", "5")}, {2s, held_by("", "6")}, {18s, held_by("", "6")}},
         Takeover::unclean},
        {"held", {{0s, held_by("a", "5")}}, std::nullopt},
        {"held, and as old as its term less the first answer's flight",
         {{0s, held_by("a", "5")}, {15s, held_by("a", "5")}},
         std::nullopt},
        {"ran out", {{0s, held_by("a", "5")}, {16s, held_by("a", "5")}}, Takeover::unclean},
        {"renewed meanwhile",
         {{0s, held_by("a", "5")}, {14s, held_by("a", "6")}, {16s, held_by("a", "6")}},
         std::nullopt},
        {"a longer term is respected",
         {{0s, held_by("a", "5", 60s)}, {60s, held_by("a", "5", 60s)}},
         std::nullopt},
        {"a longer term ran out",
         {{0s, held_by("a", "5", 60s)}, {61s, held_by("a", "5", 60s)}},
         Takeover::unclean},
        {"a shorter term counts as ours",
         {{0s, held_by("a", "5", 1s)}, {10s, held_by("a", "5", 1s)}},
         std::nullopt},
        {"deleted: its holder may not know yet",
         {{0s, held_by("a", "5")}, {5s, none}},
         std::nullopt},
        {"deleted, and its holder's term is over",
         {{0s, held_by("a", "5")}, {5s, none}, {21s, none}},
         Takeover::unclean},
        {"deleted after it was released", {{0s, held_by("", "5", 1s)}, {5s, none}}, Takeover::none},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        LeaseView view("me", 15s);
        for (const auto& look : row.looks)
            view.observe(look.found, start + look.asked + 1s);
        CHECK(view.may_take(start + row.looks.back().asked) == row.taken);
    }
}

TEST_CASE("a claim whose answer was lost is found again, and remembers how the Lease came") {
    LeaseView view("me", 15s);
    CHECK(!view.may_take(start));
    view.observe(held_by("", "5", 1s), start);
    REQUIRE(view.may_take(start) == Taken(Takeover::clean));
    LeaseRecord claim = view.claim(Takeover::clean, "now");
    CHECK(claim.resource_version == "5"); // so that another's write in between is seen
    CHECK(claim.holder == "me");
    CHECK(claim.transitions == 4);
    CHECK(claim.duration == 15s);
    claim.resource_version = "6";
    view.observe(claim, start + 1s);
    CHECK(view.ours());
    CHECK(view.may_take(start + 1s) == Taken(Takeover::clean));
    CHECK(view.claim(Takeover::clean, "now").transitions == 4);
    // Another was faster after all.
    view.observe(held_by("b", "7"), start + 2s);
    CHECK(!view.may_take(start + 2s));
}

TEST_CASE("a Lease as the API server shows it") {
    const auto lease = json::parse(
        R"({"metadata":{"name":"x","resourceVersion":"7"},"spec":{"holderIdentity":"a",)"
        R"("leaseDurationSeconds":15,"leaseTransitions":2,"acquireTime":"then"}})");
    REQUIRE(lease.has_value());
    CHECK(decode_lease(*lease) == LeaseRecord{.resource_version = "7",
                                              .holder = "a",
                                              .transitions = 2,
                                              .acquire_time = "then",
                                              .duration = 15s});
    const auto empty = json::parse(R"({"metadata":{"resourceVersion":"8"},"spec":{}})");
    REQUIRE(empty.has_value());
    CHECK(decode_lease(*empty) == LeaseRecord{.resource_version = "8"});
}

TEST_CASE("a Lease is released when it is there and nobody holds it") {
    LeaseView view("me", 15s);
    CHECK(!view.released());
    view.observe(held_by("a", "5"), start);
    CHECK(!view.released());
    view.observe(held_by("", "6", 1s), start);
    CHECK(view.released());
    view.observe({}, start);
    CHECK(!view.released());
}
