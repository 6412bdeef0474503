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

Result<std::vector<ConnectionInfo>> list_in_pieces(std::string_view body, std::size_t size) {
    ListMemory::Share memory{ListMemory()};
    ConnectionListReader reader(memory);
    for (std::size_t at = 0; at < body.size(); at += size)
        if (!reader.feed(body.substr(at, size)))
            break;
    return reader.finish(200);
}

Result<std::vector<ConnectionInfo>> list(std::string_view body) {
    return list_in_pieces(body, 7); // within words, numbers and escapes
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

ReportedAttribute told_list(const std::vector<std::string>& values) {
    return {State::present, "env", ValuesForm::list, fingerprint_of(values)};
}

ReportedAttribute told_joined(const std::vector<std::string>& values) {
    return {State::present, "env", ValuesForm::joined, fingerprint_of(values, ValuesForm::joined)};
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
    CHECK(*a.environment_user_attribute == told_list({"prod", "eu"}));
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
        std::optional<ReportedAttribute> told;
    };

    const ReportedAttribute absent{.state = State::absent};
    const auto& present = told_list;
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
        {key + R"("env",)" + values + R"("")", told_joined({})},
        {key + R"("env",)" + values + R"(["a"])", present({"a"})},
        {key + R"("env",)" + values + R"(["b","a",""])", present({"b", "a", ""})},
        {values + R"(["a"],)" + key + R"("env")", present({"a"})},
        {key + R"("env",)" + values + R"(["a,b"," c "])", present({"a,b", " c "})},
        {key + R"("env",)" + values + R"("a")", told_joined({"a"})},
        {key + R"("env",)" + values + R"("a,b, c")", told_joined({"a", "b", "c"})},
        {key + R"("env",)" + values + R"("a,,b")", told_joined({"a", "", "b"})},
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
          "Omni's response to GET /api/v1/connections is longer than 100000 connections");
}

TEST_CASE("list: read in pieces of any size") {
    const std::string body = R"({"a":[1.5e3,-7,true,null,"\u00e9\\"],"connections":[{"id":"c1",)"
                             R"("name":"Z\u00fcrich \ud83d\udd11","deletedAt":null,)"
                             R"("userAttributeNameForConnectionEnvironments":"env",)"
                             R"("userAttributeValuesForDefaultEnvironment":["prod","eu"]},)"
                             R"({"id":"c2","baseRole":"QUERIER"}]} )"
                             "\n";
    for (std::size_t size = 1; size <= body.size(); ++size) {
        INFO(size);
        const auto result = list_in_pieces(body, size);
        REQUIRE(result.has_value());
        REQUIRE(result->size() == 2);
        CHECK(result->at(0).name == "Z\xc3\xbcrich \xf0\x9f\x94\x91");
        CHECK(result->at(0).environment_user_attribute == told_list({"prod", "eu"}));
        CHECK(result->at(1).base_role == "QUERIER");
    }
}

TEST_CASE("list: of what is longer than anything wanted, no more is kept") {
    const std::string key = R"("userAttributeNameForConnectionEnvironments":"env",)";
    const std::string values = R"("userAttributeValuesForDefaultEnvironment":)";
    const std::string half(std::size_t{2} << 20, 'v');
    CHECK(one(R"("name":")" + half + R"(")").name.size() == 4096);
    const auto kept = one(key + values + "[\"" + half + "\"]").environment_user_attribute;
    CHECK(kept == told_list({half}));
    for (const auto& told : {"[\"" + half + "\",\"" + half + "\"]", "\"" + half + half + "\"",
                             "\"" + half + "," + half + "\""}) {
        const auto attribute = one(key + values + told).environment_user_attribute;
        REQUIRE(attribute);
        CHECK(attribute->values.empty());
    }
    // Many connections that are not ours, each with long values: a list of 200 MiB.
    const ListMemory all;
    ListMemory::Share memory(all);
    ConnectionListReader reader(memory);
    REQUIRE(reader.feed(R"({"connections":[{"id":"first"})"));
    for (int i = 0; i < 100; ++i)
        REQUIRE(reader.feed(R"(,{"id":"c)" + std::to_string(i) + "\"," + key + values + "[\"" +
                            half + "\"]}"));
    REQUIRE(reader.feed("]}"));
    CHECK(reader.finish(200)->size() == 101);
    CHECK(all.taken() < 100'000);
}

TEST_CASE("list: what the lists of all keys take together is bounded") {
    const ListMemory all;
    const auto read = [](ListMemory::Share& memory, std::size_t bytes) {
        ConnectionListReader reader(memory);
        REQUIRE(reader.feed(R"({"connections":[{"id":"first"})"));
        const std::string name(4096, 'n');
        for (std::size_t fed = 0; fed < bytes; fed += name.size())
            if (!reader.feed(R"(,{"id":"c","name":")" + name + "\"}"))
                break;
        reader.feed("]}");
        return reader.finish(200);
    };
    constexpr std::size_t mib = std::size_t{1} << 20;
    {
        ListMemory::Share large(all);
        CHECK(read(large, 40 * mib).has_value());
        CHECK(all.taken() > 40 * mib);
        CHECK(all.taken() < 45 * mib);
        ListMemory::Share larger(all);
        const auto refused = read(larger, 40 * mib);
        REQUIRE(refused.has_error());
        CHECK(refused.error().kind == ErrorClass::too_large);
        CHECK(refused.error().message ==
              "Omni's response to GET /api/v1/connections is too long to "
              "be kept, beside those of other keys");
        // Whoever has few connections does not suffer from that.
        std::vector<ListMemory::Share> small;
        for (int i = 0; i < 20; ++i) {
            small.emplace_back(all);
            CHECK(read(small.back(), 400 * 1024).has_value());
        }
    }
    CHECK(all.taken() == 0);
    // A value that is long while it is read counts as well.
    ListMemory::Share others(all);
    others.resize(ListMemory::most - mib);
    ListMemory::Share memory(all);
    ConnectionListReader reader(memory);
    CHECK(reader.feed(R"({"connections":[{"userAttributeValuesForDefaultEnvironment":["v)"));
    CHECK_FALSE(reader.feed(std::string(2 * mib, 'v')));
    CHECK(reader.finish(200).error().kind == ErrorClass::too_large);
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

    const EnvironmentUserAttribute wanted{State::present, "env", {"a,b"}};
    const EnvironmentUserAttribute removed{State::absent, "", {}};
    const auto with_values = [](std::vector<std::string> values) {
        return EnvironmentUserAttribute{State::present, "env", std::move(values)};
    };
    ConnectionInfo told;
    CHECK(same_environment(told, wanted)); // not told
    CHECK(same_environment(told, removed));
    told.environment_user_attribute = ReportedAttribute{.state = State::absent};
    CHECK(same_environment(told, removed));
    CHECK_FALSE(same_environment(told, wanted));
    told.environment_user_attribute = told_list({"a", "b"});
    CHECK(same_environment(told, with_values({"a", "b"})));
    CHECK_FALSE(same_environment(told, with_values({"b", "a"})));
    CHECK_FALSE(same_environment(told, wanted));
    CHECK_FALSE(same_environment(told, removed));
    told.environment_user_attribute = told_joined({"a", "b"});
    CHECK(same_environment(told, wanted));
    CHECK(same_environment(told, with_values({"a", " b "})));
    CHECK_FALSE(same_environment(told, with_values({})));
    CHECK_FALSE(same_environment(told, with_values({"a", "c"})));
    told.environment_user_attribute = told_joined({});
    CHECK(same_environment(told, with_values({})));
    told.environment_user_attribute = told_joined({"a", "b"});
    told.environment_user_attribute->attribute_name = "other";
    CHECK_FALSE(same_environment(told, wanted));
    CHECK(name(Field::credential) == "credential");
    CHECK(name(Field::base_role) == "base_role");
    CHECK(name(Field::environment_user_attribute) == "environment_user_attribute");
}
