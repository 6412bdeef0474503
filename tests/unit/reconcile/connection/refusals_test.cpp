// What is sent, after what was refused and what is known to be in Omni.
#include "reconcile/connection/refusals.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace oco;
using namespace oco::reconcile;
using omni::Field;

namespace {

const Digests digests{
    {Field::credential, "c1"}, {Field::base_role, "r1"}, {Field::environment_user_attribute, "e1"}};
const FieldSet all{Field::credential, Field::base_role, Field::environment_user_attribute};

// A server that refuses every PATCH which holds a field of `bad`: what is sent, in order.
std::vector<FieldSet> play(FieldSet pending, const FieldSet& bad, FieldSet& blocked) {
    Refusals refusals;
    refusals.at_generation(1);
    std::vector<FieldSet> sent;
    for (int step = 0; step < 20; ++step) {
        const Choice choice = choose(pending, digests, refusals);
        blocked = choice.blocked;
        if (choice.send.empty())
            return sent;
        sent.push_back(choice.send);
        const bool refused =
            std::ranges::any_of(choice.send, [&](Field field) { return bad.contains(field); });
        if (refused) {
            refusals.add(combined_digest(digests, choice.send));
            continue;
        }
        for (const Field field : culprit(pending, choice.send, digests, refusals))
            refusals.add(combined_digest(digests, {field}));
        for (const Field field : choice.send)
            pending.erase(field);
    }
    FAIL("it never came to an end");
    return sent;
}

} // namespace

TEST_CASE("all pending fields go in one PATCH") {
    FieldSet blocked;
    const auto sent = play(all, {}, blocked);
    REQUIRE(sent.size() == 1);
    CHECK(sent[0] == all);
    CHECK(blocked.empty());
}

TEST_CASE("a misspelt role beside a new password: two PATCHes, and the role is the culprit") {
    FieldSet blocked;
    const auto sent = play({Field::credential, Field::base_role}, {Field::base_role}, blocked);
    REQUIRE(sent.size() == 2);
    CHECK(sent[1] == FieldSet{Field::credential});
    CHECK(blocked == FieldSet{Field::base_role});
}

TEST_CASE("whatever is wrong, the rest is accepted, and the wrong fields alone are blocked") {
    for (unsigned mask = 0; mask < 8; ++mask) {
        FieldSet bad;
        for (unsigned i = 0; i < 3; ++i)
            if ((mask & (1U << i)) != 0)
                bad.insert(static_cast<Field>(i));
        CAPTURE(mask);
        FieldSet blocked;
        const auto sent = play(all, bad, blocked);
        CHECK(blocked == bad);
        CHECK(sent.size() <= 5);
        FieldSet accepted;
        for (const auto& fields : sent)
            if (std::ranges::none_of(fields, [&](Field f) { return bad.contains(f); }))
                accepted.insert(fields.begin(), fields.end());
        for (const Field field : all)
            CHECK(accepted.contains(field) != bad.contains(field));
    }
}

TEST_CASE("a new value or a new generation is tried again") {
    Refusals refusals;
    refusals.at_generation(1);
    refusals.add(combined_digest(digests, {Field::base_role}));
    CHECK(choose({Field::base_role}, digests, refusals).send.empty());
    Digests changed = digests;
    changed[Field::base_role] = "r2";
    CHECK(choose({Field::base_role}, changed, refusals).send == FieldSet{Field::base_role});
    refusals.at_generation(2);
    CHECK(choose({Field::base_role}, digests, refusals).send == FieldSet{Field::base_role});
}

TEST_CASE("a wish in words") {
    const api::Target where{.host = "acme.omniapp.co", .connection_id = "c1"};
    CHECK(describe_push({Field::base_role}, where) ==
          "would send baseRole to connection c1 at acme.omniapp.co");
    CHECK(describe_push({Field::environment_user_attribute, Field::base_role, Field::credential},
                        where) ==
          "would send credential, baseRole, environmentUserAttribute to connection c1 at "
          "acme.omniapp.co");
}
