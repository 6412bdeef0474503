// Two objects, one connection: the oldest holds each field.
#include "reconcile/cluster/ownership.hpp"

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
    Ownership ownership;
    const ObjectKey older{.ns = "b", .name = "old"};
    const ObjectKey younger{.ns = "a", .name = "young"};
    CHECK(ownership.set(younger, claim(20, {Field::credential})).empty());
    CHECK(*ownership.holder(target, Field::credential) == younger);
    CHECK(ownership.set(older, claim(10, {Field::credential})) == std::vector{younger});
    CHECK(*ownership.holder(target, Field::credential) == older);
    CHECK(ownership.erase(older) == std::vector{younger});
    CHECK(*ownership.holder(target, Field::credential) == younger);
}

TEST_CASE("of the same age, namespace and name decide") {
    Ownership ownership;
    const ObjectKey first{.ns = "a", .name = "z"};
    const ObjectKey second{.ns = "b", .name = "a"};
    ownership.set(second, claim(10, {Field::credential}));
    ownership.set(first, claim(10, {Field::credential}));
    CHECK(*ownership.holder(target, Field::credential) == first);
}

TEST_CASE("fields are held separately, and other connections do not meet") {
    Ownership ownership;
    const ObjectKey role{.ns = "a", .name = "role"};
    const ObjectKey both{.ns = "a", .name = "both"};
    ownership.set(role, claim(10, {Field::base_role}));
    ownership.set(both, claim(20, {Field::base_role, Field::credential}));
    CHECK(*ownership.holder(target, Field::base_role) == role);
    CHECK(*ownership.holder(target, Field::credential) == both);
    const Target elsewhere{.host = "omni.example", .connection_id = "2"};
    CHECK_FALSE(ownership.holder(elsewhere, Field::credential));
    CHECK(ownership.set(both, claim(20, {Field::credential}, elsewhere)) == std::vector{role});
    CHECK(*ownership.holder(elsewhere, Field::credential) == both);
    CHECK_FALSE(ownership.holder(target, Field::credential));
}

TEST_CASE("saying the same again disturbs nobody") {
    Ownership ownership;
    const ObjectKey one{.ns = "a", .name = "1"};
    const ObjectKey two{.ns = "a", .name = "2"};
    ownership.set(one, claim(10, {Field::credential}));
    ownership.set(two, claim(20, {Field::credential}));
    CHECK(ownership.set(one, claim(10, {Field::credential})).empty());
}
