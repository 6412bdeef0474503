// Two objects, one connection: the oldest holds each field.
#include "reconcile/claims.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using omni::Field;

namespace {

const Target target{.host = "omni.example", .connection_id = "1"};

Claim claim(int second, std::set<Field> fields, Target where = target) {
    return {.target = std::move(where),
            .created = WallTime(std::chrono::seconds(second)),
            .fields = std::move(fields)};
}

} // namespace

TEST_CASE("the oldest object holds a field, and the next takes over") {
    Claims claims;
    const ObjectKey older{.ns = "b", .name = "old"};
    const ObjectKey younger{.ns = "a", .name = "young"};
    CHECK(claims.set(younger, claim(20, {Field::credential})).empty());
    CHECK(*claims.holder(target, Field::credential) == younger);
    CHECK(claims.set(older, claim(10, {Field::credential})) == std::vector{younger});
    CHECK(*claims.holder(target, Field::credential) == older);
    CHECK(claims.erase(older) == std::vector{younger});
    CHECK(*claims.holder(target, Field::credential) == younger);
}

TEST_CASE("of the same age, namespace and name decide") {
    Claims claims;
    const ObjectKey first{.ns = "a", .name = "z"};
    const ObjectKey second{.ns = "b", .name = "a"};
    claims.set(second, claim(10, {Field::credential}));
    claims.set(first, claim(10, {Field::credential}));
    CHECK(*claims.holder(target, Field::credential) == first);
}

TEST_CASE("fields are held separately, and other connections do not meet") {
    Claims claims;
    const ObjectKey role{.ns = "a", .name = "role"};
    const ObjectKey both{.ns = "a", .name = "both"};
    claims.set(role, claim(10, {Field::base_role}));
    claims.set(both, claim(20, {Field::base_role, Field::credential}));
    CHECK(*claims.holder(target, Field::base_role) == role);
    CHECK(*claims.holder(target, Field::credential) == both);
    const Target elsewhere{.host = "omni.example", .connection_id = "2"};
    CHECK_FALSE(claims.holder(elsewhere, Field::credential));
    CHECK(claims.set(both, claim(20, {Field::credential}, elsewhere)) == std::vector{role});
    CHECK(*claims.holder(elsewhere, Field::credential) == both);
    CHECK_FALSE(claims.holder(target, Field::credential));
}

TEST_CASE("saying the same again disturbs nobody") {
    Claims claims;
    const ObjectKey one{.ns = "a", .name = "1"};
    const ObjectKey two{.ns = "a", .name = "2"};
    claims.set(one, claim(10, {Field::credential}));
    claims.set(two, claim(20, {Field::credential}));
    CHECK(claims.set(one, claim(10, {Field::credential})).empty());
}
