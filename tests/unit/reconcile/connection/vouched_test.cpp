// What an object's status may say, while it is being written and after.
#include "reconcile/connection/vouched.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::reconcile;
using omni::Field;

namespace {

const Target vouched_here{.host = "h", .connection_id = "1"};
const Target vouched_there{.host = "h", .connection_id = "2"};

api::OmniConnection::Status status_saying(const Target& target, const FieldSet& applied,
                                          FieldSet unanswered = {}) {
    api::OmniConnection::Status status;
    status.applied.target = target;
    if (applied.contains(Field::credential))
        status.applied.credential = api::AppliedCredential{};
    if (applied.contains(Field::base_role))
        status.applied.base_role = api::AppliedBaseRole{};
    if (applied.contains(Field::environment_user_attribute))
        status.applied.environment_user_attribute = api::AppliedEnvironmentUserAttribute{};
    status.unanswered = std::move(unanswered);
    return status;
}

} // namespace

TEST_CASE("what a status says") {
    struct Row {
        std::string name;
        api::OmniConnection::Status status;
        Vouch here;
        std::size_t targets;
    };

    const Row rows[] = {
        {"nothing at all", {}, {}, 0},
        {"a target alone", status_saying(vouched_here, {}), {}, 0},
        {"applied",
         status_saying(vouched_here, {Field::credential, Field::base_role}),
         {.applied = {Field::credential, Field::base_role},
          .sent = {Field::credential, Field::base_role}},
         1},
        {"the attribute",
         status_saying(vouched_here, {Field::environment_user_attribute}),
         {.applied = {Field::environment_user_attribute},
          .sent = {Field::environment_user_attribute}},
         1},
        {"unanswered: sent, not applied",
         status_saying(vouched_here, {}, {Field::credential}),
         {.applied = {}, .sent = {Field::credential}},
         1},
        {"both",
         status_saying(vouched_here, {Field::base_role}, {Field::credential}),
         {.applied = {Field::base_role}, .sent = {Field::base_role, Field::credential}},
         1},
        {"elsewhere", status_saying(vouched_there, {Field::credential}), {}, 1},
        {"without an id nothing was sent",
         status_saying({.host = "h", .connection_id = ""}, {Field::credential}),
         {},
         0},
        {"without a host neither",
         status_saying({.host = "", .connection_id = "1"}, {Field::credential}),
         {},
         0},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Vouched vouched;
        vouched.written(row.status);
        CHECK(vouched.at(vouched_here) == row.here);
        CHECK(vouched.targets().size() == row.targets);
        Vouched begun;
        begun.writing(row.status);
        CHECK(begun.at(vouched_here) == row.here);
    }
}

TEST_CASE("until a write is known to be done, both may be there") {
    Vouched vouched;
    CHECK(vouched.written(status_saying(vouched_here, {Field::credential})));
    const auto next = status_saying(vouched_there, {Field::base_role}, {Field::credential});
    vouched.writing(next);
    CHECK(vouched.at(vouched_here).applied == FieldSet{Field::credential});
    CHECK(vouched.at(vouched_there).applied == FieldSet{Field::base_role});
    CHECK(vouched.targets().size() == 2);
    CHECK(vouched.written(next));
    CHECK(vouched.at(vouched_here) == Vouch{});
    CHECK(vouched.at(vouched_there).sent == FieldSet{Field::base_role, Field::credential});
    CHECK(vouched.targets() == std::vector{vouched_there});
}

TEST_CASE("a status that is void vouches until it is written") {
    Vouched vouched;
    vouched.written(status_saying(vouched_here, {Field::credential, Field::base_role}));
    const auto voided = status_saying(vouched_here, {Field::base_role});
    vouched.writing(voided);
    CHECK(vouched.at(vouched_here).applied.contains(Field::credential));
    vouched.writing(voided); // the first write failed, and may have been carried out
    CHECK(vouched.at(vouched_here).applied.contains(Field::credential));
    CHECK(vouched.written(voided));
    CHECK_FALSE(vouched.at(vouched_here).applied.contains(Field::credential));
    CHECK(vouched.at(vouched_here).applied.contains(Field::base_role));
}

TEST_CASE("the same again is no news") {
    Vouched vouched;
    CHECK_FALSE(vouched.written({}));
    const auto status = status_saying(vouched_here, {Field::credential});
    CHECK(vouched.written(status));
    vouched.writing(status);
    CHECK_FALSE(vouched.written(status));
    vouched.writing(status_saying(vouched_here, {Field::credential, Field::base_role}));
    CHECK(vouched.written(status)); // others may have seen what was not written after all
    CHECK(vouched.written({}));
    CHECK(vouched.targets().empty());
}
