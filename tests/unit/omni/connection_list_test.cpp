#include "omni/connection_list.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace oco;
using namespace oco::omni;
using namespace std::string_literals;

namespace {

using State = EnvironmentUserAttribute::State;

http::Response ok(std::string_view body) {
    http::Response response;
    response.status = 200;
    response.body = SecretBytes(body);
    return response;
}

Result<std::vector<ConnectionInfo>> list(std::string_view body) {
    return parse_connections(ok(body));
}

// The one connection with these members.
ConnectionInfo one(std::string_view members) {
    const auto result = list(R"({"connections":[{"id":"c1",)" + std::string(members) + "}]}");
    REQUIRE(result.has_value());
    REQUIRE(result->size() == 1);
    CHECK(result->front().id == "c1");
    // The single form tells the same.
    const auto single =
        parse_connection(ok(R"({"connection":{"id":"c1",)" + std::string(members) + "}}"));
    REQUIRE(single.has_value());
    CHECK(single->name == result->front().name);
    CHECK(single->deleted == result->front().deleted);
    CHECK(single->base_role == result->front().base_role);
    CHECK(single->environment_user_attribute == result->front().environment_user_attribute);
    return result->front();
}

} // namespace

TEST_CASE("list: the documented form") {
    const auto result = list(R"({"connections":[
        {"id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","name":"Warehouse","dialect":"snowflake",
         "database":"DB","defaultSchema":"PUBLIC","deletedAt":null,"baseRole":"QUERIER",
         "userAttributeNameForConnectionEnvironments":"env",
         "userAttributeValuesForDefaultEnvironment":["prod","eu"],
         "allowsUserSpecificTimezones":true,"other":{"id":"no","deep":[[{"name":"no"}]]}},
        {"id":"B","name":"Lake","dialect":"new_dialect","deletedAt":"2026-01-01T00:00:00Z"}],
        "pageInfo":{"connections":[{"id":"not-this"}]}})");
    REQUIRE(result.has_value());
    REQUIRE(result->size() == 2);
    const auto& a = result->at(0);
    CHECK(a.id == "7c9e6679-7425-40de-944b-e07fc1f90ae7");
    CHECK(a.name == "Warehouse");
    CHECK(a.dialect == "snowflake");
    CHECK_FALSE(a.deleted);
    CHECK(a.base_role == "QUERIER");
    REQUIRE(a.environment_user_attribute);
    CHECK(*a.environment_user_attribute ==
          EnvironmentUserAttribute{State::present, "env", {"prod", "eu"}});
    CHECK(a.values_form == ValuesForm::list);
    const auto& b = result->at(1);
    CHECK(b.id == "B");
    CHECK(b.dialect == "new_dialect");
    CHECK(b.deleted);
    CHECK_FALSE(b.base_role);
    CHECK_FALSE(b.environment_user_attribute);
}

TEST_CASE("list: the environment attribute in its many forms") {
    const std::string key = R"("userAttributeNameForConnectionEnvironments":)";
    const std::string plural = R"("userAttributeNameForConnectionsEnvironments":)";
    const std::string values = R"("userAttributeValuesForDefaultEnvironment":)";

    struct Case {
        std::string members;
        std::optional<EnvironmentUserAttribute> told;
    };

    const auto present = [](std::vector<std::string> v) {
        return EnvironmentUserAttribute{State::present, "env", std::move(v)};
    };
    const EnvironmentUserAttribute absent{State::absent, "", {}};
    const std::vector<Case> cases = {
        {R"("name":"n")", std::nullopt},
        {values + R"(["a"])", std::nullopt}, // values of nothing
        {key + "null", absent},
        {key + R"("")", absent},
        {key + "7", std::nullopt}, // not a form that means anything
        {plural + "null", absent},
        {key + "null," + values + R"(["a"])", absent},
        {key + R"("env")", present({})},
        {plural + R"("env")", present({})},
        {key + "null," + plural + R"("env")", present({})},
        {plural + R"("env",)" + key + "null", present({})},
        {plural + R"("env",)" + key + R"("")", present({})},
        {key + R"("env",)" + values + "null", present({})},
        {key + R"("env",)" + values + "[]", present({})},
        {key + R"("env",)" + values + R"("")", present({})},
        {key + R"("env",)" + values + R"(["a"])", present({"a"})},
        {key + R"("env",)" + values + R"(["b","a",""])", present({"b", "a", ""})},
        {values + R"(["a"],)" + key + R"("env")", present({"a"})},
        {key + R"("env",)" + values + R"(["a,b"," c "])", present({"a,b", " c "})},
        {key + R"("env",)" + values + R"("a")", present({"a"})},
        {key + R"("env",)" + values + R"("a,b, c")", present({"a", "b", "c"})},
        {key + R"("env",)" + values + R"("a,,b")", present({"a", "", "b"})},
        {key + R"("env",)" + values + R"(["a",1,null,["x"],{"y":"z"},"b"])", present({"a", "b"})},
        {key + R"("env",)" + values + R"({"a":"b"})", present({})},
    };
    for (const auto& [members, told] : cases) {
        INFO(members);
        CHECK(one(members).environment_user_attribute == told);
    }
}

TEST_CASE("list: deletion, roles and members of another type") {
    struct Case {
        std::string members;
        bool deleted;
    };

    for (const auto& [members, deleted] : std::vector<Case>{{R"("name":"n")", false},
                                                            {R"("deletedAt":null)", false},
                                                            {R"("deletedAt":"")", false},
                                                            {R"("deletedAt":false)", false},
                                                            {R"("deletedAt":"2026-01-01")", true},
                                                            {R"("deletedAt":1767225600)", true},
                                                            {R"("deletedAt":true)", true}}) {
        INFO(members);
        CHECK(one(members).deleted == deleted);
    }
    CHECK(one(R"("baseRole":null)").base_role == std::nullopt);
    CHECK(one(R"("baseRole":3)").base_role == std::nullopt);
    CHECK(one(R"("baseRole":"Custom role")").base_role == "Custom role");
    CHECK(one(R"("name":null,"dialect":[1])").name.empty());
    CHECK(one(R"("name":"Z\u00fcrich \ud83d\udd11")").name == "Z\xc3\xbcrich \xf0\x9f\x94\x91");
    CHECK(one(R"("long":123456789012345678901234567890,"exact":1e300)").id == "c1");
}

TEST_CASE("list: entries without a usable id are skipped") {
    const auto result = list(R"({"connections":[{},{"name":"n"},{"id":null},{"id":7},{"id":""},
        {"id":".."},{"id":"a/b"},{"id":"a b"},{"id":"a\u0000"},"text",7,null,["id","x"],
        [{"id":"nested"}],{"id":")" +
                             std::string(129, 'a') + R"("},{"id":"good-1"},{"id":"GOOD_2"}]})");
    REQUIRE(result.has_value());
    REQUIRE(result->size() == 2);
    CHECK(result->at(0).id == "good-1");
    CHECK(result->at(1).id == "GOOD_2");
    // Nothing of a skipped entry stays behind for the next.
    const auto next = list(R"({"connections":[{"name":"n","baseRole":"r","deletedAt":"x",
        "userAttributeNameForConnectionEnvironments":"e",
        "userAttributeValuesForDefaultEnvironment":"a,b"},{"id":"c"}]})");
    REQUIRE(next.has_value());
    CHECK(next->at(0).name.empty());
    CHECK_FALSE(next->at(0).base_role);
    CHECK_FALSE(next->at(0).deleted);
    CHECK_FALSE(next->at(0).environment_user_attribute);
    CHECK(next->at(0).values_form == ValuesForm::list);
}

TEST_CASE("list: what is not the documented JSON is no empty list") {
    const std::vector<std::string> bodies = {
        "",
        " ",
        "null",
        "7",
        R"("connections")",
        "{}",
        "[]",
        R"([{"connections":[]}])",
        R"([{"id":"c1"}])",
        R"({"connections":null})",
        R"({"connections":{}})",
        R"({"connections":{"id":"c1"}})",
        R"({"Connections":[]})",
        R"({"data":{"connections":[]}})",
        R"({"connections":[)",
        R"({"connections":[]} trailing)",
        R"({"connections":[{"id":"c1"}])",
        R"({"error":"Forbidden"})",
        "<html><body>Sign in</body></html>",
        "{\"connections\":[{\"id\":\"c1\",\"name\":\"\xff\"}]}",
        R"({"connections":[],"deep":)" + std::string(100, '[') + std::string(100, ']') + "}",
        std::string(1'000'000, '['),
    };
    for (const auto& body : bodies) {
        INFO(body.substr(0, 80));
        const auto result = list(body);
        REQUIRE(result.has_error());
        CHECK(result.error().kind == ErrorClass::unavailable);
        CHECK(result.error().http_status == 200);
        CHECK(result.error().sent == Sent::no);
        CHECK(result.error().message ==
              "Omni's response to GET /api/v1/connections is not the documented JSON");
    }
    const auto empty = list(R"({"connections":[]})");
    REQUIRE(empty.has_value());
    CHECK(empty->empty());
}

TEST_CASE("list: more connections than can be") {
    std::string body = R"({"connections":[)";
    for (std::size_t i = 0; i < max_connections; ++i)
        body += R"({"id":"a"},)";
    body.back() = ']';
    CHECK(list(body + "}").has_value());
    body.back() = ',';
    const auto result = list(body + R"({"id":"a"}]})");
    REQUIRE(result.has_error());
    CHECK(result.error().message ==
          "Omni's response to GET /api/v1/connections has more than 100000 connections");
}

TEST_CASE("one connection: what is not the documented JSON") {
    for (const auto* body : {"", "{}", R"({"connection":null})", R"({"connection":[]})",
                             R"({"connection":{}})", R"({"connections":[{"id":"c1"}]})",
                             R"({"id":"c1"})", R"({"x":{"connection":{"id":"c"}}})",
                             R"([{"connection":{"id":"c1"}}])", R"({"connection":{"id":"c1"})"}) {
        INFO(body);
        const auto result = parse_connection(ok(body));
        REQUIRE(result.has_error());
        CHECK(result.error().message ==
              "Omni's response to GET /api/v1/connections/{id} is not the documented JSON");
    }
}

TEST_CASE("comparing what is told with what is wanted") {
    CHECK(same_role("QUERIER", "QUERIER"));
    CHECK(same_role("QUERY_TOPICS", "RESTRICTED_QUERIER"));
    CHECK(same_role("RESTRICTED_QUERIER", "QUERY_TOPICS"));
    CHECK_FALSE(same_role("QUERIER", "RESTRICTED_QUERIER"));
    CHECK_FALSE(same_role("viewer", "VIEWER")); // a custom role may have that name
    using enum ValuesForm;
    CHECK(same_values({"a", "b"}, ValuesForm::list, {"a", "b"}));
    CHECK_FALSE(same_values({"a", "b"}, ValuesForm::list, {"b", "a"}));
    CHECK_FALSE(same_values({"a", "b"}, ValuesForm::list, {"a,b"}));
    CHECK(same_values({"a", "b"}, joined, {"a,b"}));
    CHECK(same_values({"a", "b"}, joined, {"a", " b "}));
    CHECK(same_values({}, joined, {}));
    CHECK_FALSE(same_values({"a"}, joined, {}));
    CHECK_FALSE(same_values({"a", "b"}, joined, {"a", "c"}));

    const EnvironmentUserAttribute wanted{State::present, "env", {"a,b"}};
    const EnvironmentUserAttribute removed{State::absent, "", {}};
    ConnectionInfo told;
    CHECK(same_environment(told, wanted)); // not told
    CHECK(same_environment(told, removed));
    told.environment_user_attribute = removed;
    CHECK(same_environment(told, removed));
    CHECK_FALSE(same_environment(told, wanted));
    told.environment_user_attribute.emplace(
        EnvironmentUserAttribute{State::present, "env", {"a", "b"}});
    CHECK_FALSE(same_environment(told, wanted));
    CHECK_FALSE(same_environment(told, removed));
    told.values_form = joined;
    CHECK(same_environment(told, wanted));
    told.environment_user_attribute->attribute_name = "other";
    CHECK_FALSE(same_environment(told, wanted));
    CHECK(name(Field::credential) == "credential");
    CHECK(name(Field::base_role) == "base_role");
    CHECK(name(Field::environment_user_attribute) == "environment_user_attribute");
}
