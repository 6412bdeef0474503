// Which of the objects that claim a field holds it.
#include "reconcile/cluster/ownership.hpp"
#include "support/test_time.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <tuple>
#include <vector>

using namespace oco;
using namespace oco::reconcile;
using namespace std::chrono_literals;
using omni::Field;

namespace {

const Target claimed_target{.host = "omni.example", .connection_id = "1"};

// Of the credential, unless `fields` says otherwise.
struct ClaimRow {
    const char* name; // in namespace "n"
    int created;
    Proof proof;
    bool sent = false;
    rt::Duration pending_for = 30s; // from now on
    FieldSet fields = {Field::credential};
    const char* ns = "n";
};

Claim claim_from(const ClaimRow& row, rt::TimePoint now) {
    return {.key = {.ns = row.ns, .name = row.name},
            .target = claimed_target,
            .created = WallTime(std::chrono::seconds(row.created)),
            .fields = row.fields,
            .proof = row.proof,
            .pending_until = now + row.pending_for,
            .sent = row.sent ? row.fields : FieldSet()};
}

bool outranks(const Claim& a, const Claim& b) {
    if (a.proof != b.proof)
        return a.proof == Proof::proved;
    if (a.created != b.created)
        return a.created < b.created;
    return a.key < b.key;
}

// Who would hold the field if each doubt were decided as it is in `claims`.
const Claim* holder_once_decided(const std::vector<Claim>& claims, Field field) {
    const Claim* best = nullptr;
    for (const Claim& claim : claims)
        if (claim.fields.contains(field) && claim.proof != Proof::pending &&
            (best == nullptr || outranks(claim, *best)))
            best = &claim;
    return best;
}

// The same rule said in another way: a doubt counts if its end could give the field to another.
Ownership naive_ownership_of(const std::vector<Claim>& claims, Field field, rt::TimePoint now) {
    Ownership out;
    for (std::size_t i = 0; i < claims.size(); ++i) {
        if (claims[i].proof != Proof::pending || claims[i].pending_until <= now ||
            !claims[i].fields.contains(field))
            continue;
        auto decided = claims;
        decided[i].proof = Proof::proved;
        if (holder_once_decided(decided, field)->key == claims[i].key)
            out.decided_at =
                std::max(out.decided_at.value_or(rt::TimePoint::min()), claims[i].pending_until);
    }
    const Claim* holder = holder_once_decided(claims, field);
    if (out.decided_at || holder == nullptr) {
        holder = nullptr;
        for (std::size_t i = 0; i < claims.size(); ++i) {
            const Claim& claim = claims[i];
            auto in_its_favour = claims;
            if (claim.proof == Proof::pending)
                in_its_favour[i].proof = Proof::proved;
            if (claim.fields.contains(field) && claim.sent.contains(field) &&
                holder_once_decided(in_its_favour, field)->key == claim.key &&
                (holder == nullptr ||
                 std::tie(claim.created, claim.key) < std::tie(holder->created, holder->key)))
                holder = &claim;
        }
    }
    if (holder != nullptr)
        out.holder = holder->key;
    return out;
}

std::string say(const Ownership& ownership, rt::TimePoint now) {
    std::string text = ownership.holder ? ownership.holder->name : "nobody";
    if (ownership.decided_at)
        text += " for " + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(
                                             *ownership.decided_at - now)
                                             .count());
    return text;
}

} // namespace

TEST_CASE("who holds the credential") {
    struct Row {
        std::string name;
        std::vector<ClaimRow> claims;
        const char* expected;
    };

    const Row rows[] = {
        {"nobody claims it", {}, "nobody"},
        {"one that is proved", {{"a", 1, Proof::proved}}, "a"},
        {"one whose key may not read", {{"a", 1, Proof::unreadable}}, "a"},
        {"one that is not proved yet sends nothing", {{"a", 1, Proof::pending}}, "nobody for 30"},
        {"nor does it ever without a proof", {{"a", 1, Proof::pending, false, 0s}}, "nobody"},
        {"one that sent before goes on", {{"a", 1, Proof::pending, true}}, "a for 30"},

        {"the older of two", {{"y", 2, Proof::proved}, {"o", 1, Proof::proved}}, "o"},
        {"the older of two, though the younger sent before",
         {{"y", 2, Proof::proved, true}, {"o", 1, Proof::proved}},
         "o"},
        {"of the same age, by name", {{"b", 1, Proof::proved}, {"a", 1, Proof::proved}}, "a"},
        {"of the same age, by namespace before name",
         {{"a", 1, Proof::proved, false, 0s, {Field::credential}, "z"},
          {"b", 1, Proof::proved, false, 0s, {Field::credential}, "y"}},
         "b"},
        {"of the same age, the doubt of the first by name counts",
         {{"b", 1, Proof::proved}, {"a", 1, Proof::pending}},
         "nobody for 30"},
        {"of the same age, the doubt of the second does not",
         {{"b", 1, Proof::pending}, {"a", 1, Proof::proved}},
         "a"},

        {"who may not read ranks behind who is proved, however old",
         {{"o", 1, Proof::unreadable}, {"y", 2, Proof::proved}},
         "y"},
        {"the older of two that may not read",
         {{"y", 2, Proof::unreadable}, {"o", 1, Proof::unreadable}},
         "o"},
        {"who may not read waits for one that is pending, even a younger one",
         {{"o", 1, Proof::unreadable}, {"y", 2, Proof::pending}},
         "nobody for 30"},
        {"and goes on meanwhile if it sent before",
         {{"o", 1, Proof::unreadable, true}, {"y", 2, Proof::pending}},
         "o for 30"},
        {"and sends once the doubt is over",
         {{"o", 1, Proof::unreadable}, {"y", 2, Proof::pending, false, 0s}},
         "o"},

        {"while an older one is pending, nobody new sends",
         {{"o", 1, Proof::pending}, {"y", 2, Proof::proved}},
         "nobody for 30"},
        {"but the holder by the statuses goes on",
         {{"o", 1, Proof::pending}, {"y", 2, Proof::proved, true}},
         "y for 30"},
        {"and the older one itself, if it is the holder",
         {{"o", 1, Proof::pending, true}, {"y", 2, Proof::proved}},
         "o for 30"},
        {"of two holders by the statuses, the older",
         {{"o", 1, Proof::pending}, {"m", 2, Proof::proved, true}, {"y", 3, Proof::proved, true}},
         "m for 30"},
        {"but not one that ranks behind another in any case",
         {{"o", 1, Proof::pending}, {"m", 2, Proof::proved}, {"y", 3, Proof::proved, true}},
         "nobody for 30"},
        {"nor one whose own proof is pending then",
         {{"o", 1, Proof::pending}, {"m", 2, Proof::proved}, {"y", 3, Proof::pending, true}},
         "nobody for 30"},
        {"a pending one that is younger makes no difference",
         {{"o", 1, Proof::proved}, {"y", 2, Proof::pending}},
         "o"},
        {"nor if it sent before", {{"o", 1, Proof::proved}, {"y", 2, Proof::pending, true}}, "o"},
        {"a doubt that is over makes no difference",
         {{"o", 1, Proof::pending, false, 0s}, {"y", 2, Proof::proved}},
         "y"},
        {"nor does one over for long, of a holder by the statuses",
         {{"o", 1, Proof::pending, true, -1h}, {"y", 2, Proof::proved}},
         "y"},
        {"the longest of several doubts",
         {{"o", 1, Proof::pending, false, 20s},
          {"p", 2, Proof::pending, false, 40s},
          {"y", 3, Proof::proved},
          {"z", 4, Proof::pending, false, 50s}},
         "nobody for 40"},
        {"a doubt between two that are proved",
         {{"o", 1, Proof::proved}, {"m", 2, Proof::pending}, {"y", 3, Proof::proved}},
         "o"},

        {"another field is another matter",
         {{"o", 1, Proof::proved, true, 0s, {Field::base_role}}, {"y", 2, Proof::proved}},
         "y"},
        {"a doubt about another field, too",
         {{"o", 1, Proof::pending, true, 30s, {Field::base_role}}, {"y", 2, Proof::proved}},
         "y"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        std::vector<Claim> claims;
        claims.reserve(row.claims.size());
        for (const ClaimRow& claim : row.claims)
            claims.push_back(claim_from(claim, test::start));
        CHECK(say(ownership_of(claims, Field::credential, test::start), test::start) ==
              row.expected);
        std::ranges::reverse(claims);
        CHECK(say(ownership_of(claims, Field::credential, test::start), test::start) ==
              row.expected);
    }
}

TEST_CASE("each field has its own holder") {
    const std::vector<Claim> claims{
        claim_from({"role", 1, Proof::proved, false, 0s, {Field::base_role}}, test::start),
        claim_from({"both", 2, Proof::proved, false, 0s, {Field::base_role, Field::credential}},
                   test::start)};
    CHECK(say(ownership_of(claims, Field::base_role, test::start), test::start) == "role");
    CHECK(say(ownership_of(claims, Field::credential, test::start), test::start) == "both");
    CHECK(say(ownership_of(claims, Field::environment_user_attribute, test::start), test::start) ==
          "nobody");
}

TEST_CASE("what was sent of one field makes no holder of another") {
    Claim younger = claim_from(
        {"y", 2, Proof::proved, false, 0s, {Field::base_role, Field::credential}}, test::start);
    younger.sent = {Field::base_role};
    const std::vector<Claim> claims{
        claim_from({"o", 1, Proof::pending, false, 30s, {Field::base_role, Field::credential}},
                   test::start),
        younger};
    CHECK(say(ownership_of(claims, Field::base_role, test::start), test::start) == "y for 30");
    CHECK(say(ownership_of(claims, Field::credential, test::start), test::start) ==
          "nobody for 30");
}

TEST_CASE("nobody waits longer than a minute") {
    CHECK(longest_doubt == 1min);
    const std::vector<Claim> claims{
        claim_from({"o", 1, Proof::pending, false, longest_doubt}, test::start),
        claim_from({"y", 2, Proof::proved}, test::start)};
    const auto at = [&](rt::Duration after) {
        return say(ownership_of(claims, Field::credential, test::start + after), test::start);
    };
    CHECK(at(0s) == "nobody for 60");
    CHECK(at(1min - 1ns) == "nobody for 60");
    CHECK(at(1min) == "y");
}

TEST_CASE("random claims: the holder is the same by another statement of the rule") {
    std::mt19937_64 dice(20);
    const auto roll = [&](std::uint64_t sides) {
        return static_cast<int>(dice() % sides);
    };
    const auto roll_fields = [&] {
        FieldSet fields;
        for (const Field field : {Field::credential, Field::base_role})
            if (roll(3) != 0)
                fields.insert(field);
        return fields;
    };
    int held = 0;
    int undecided = 0;
    for (int round = 0; round < 20'000; ++round) {
        CAPTURE(round);
        std::vector<Claim> claims;
        const int size = roll(6);
        for (int i = 0; i < size; ++i) {
            ClaimRow row{.name = "", .created = roll(3), .proof = static_cast<Proof>(roll(3))};
            row.pending_for = std::chrono::seconds(roll(4) - 1);
            row.fields = roll_fields();
            Claim claim = claim_from(row, test::start);
            claim.key = {.ns = std::to_string(roll(2)), .name = std::to_string(i)};
            for (const Field field : row.fields)
                if (roll(3) == 0)
                    claim.sent.insert(field);
            claims.push_back(std::move(claim));
        }
        for (const Field field : {Field::credential, Field::base_role}) {
            const Ownership ownership = ownership_of(claims, field, test::start);
            const Ownership expected = naive_ownership_of(claims, field, test::start);
            CHECK(ownership.holder == expected.holder);
            CHECK(ownership.decided_at == expected.decided_at);
            held += ownership.holder ? 1 : 0;
            undecided += ownership.decided_at ? 1 : 0;
        }
    }
    CHECK(held > 1000);
    CHECK(undecided > 1000);
}
