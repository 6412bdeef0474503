// Reading back, what the emulator starts with, and masking.
#include "mask.hpp"
#include "model.hpp"
#include "support.hpp"
#include "wire.hpp"

using namespace emulator;
using namespace emulator_test;

namespace {

std::string names_in(Model& model, const std::string& query) {
    const auto outcome = model.handle(request("GET", "/api/v1/connections" + query));
    const auto document = parsed(outcome.answer.body);
    std::string names;
    for (const auto& connection : document["connections"].GetArray()) {
        names += std::string(names.empty() ? "" : ",") + connection["name"].GetString();
    }
    return names;
}

} // namespace

TEST_CASE("the list is filtered as documented") {
    Model model(seed());
    CHECK(names_in(model, "") == "Sales Postgres,Snow,Big");
    CHECK(names_in(model, "?name=sALES") == "Sales Postgres");
    CHECK(names_in(model, "?name=sales%20post") == "Sales Postgres");
    CHECK(names_in(model, "?database=SALES") == "Sales Postgres,Big");
    CHECK(names_in(model, "?dialect=snowflake,bigquery") == "Snow,Big");
    CHECK(names_in(model, "?dialect=snow") == "");
    CHECK(names_in(model, "?includeDeleted=true") == "Sales Postgres,Snow,Big,Old");
    CHECK(names_in(model, "?sortField=name&sortDirection=desc") == "Snow,Sales Postgres,Big");
}

TEST_CASE("readable fields, and no credential among them") {
    Model model(seed());
    const auto read = [&](const std::string& id) {
        return model.handle(request("GET", "/api/v1/connections/" + id, "", "viewer")).answer;
    };
    const auto answer = read(postgres_id);
    CHECK(answer.body.find("first") == std::string::npos);
    const auto document = parsed(answer.body);
    const auto& connection = document["connection"];
    CHECK(connection["id"] == postgres_id);
    CHECK(connection["dialect"] == "postgres");
    CHECK(connection["deletedAt"].IsNull());
    CHECK(connection["baseRole"] == "QUERIER");
    CHECK(connection["userAttributeNameForConnectionEnvironments"] == "env");
    CHECK(connection["userAttributeValuesForDefaultEnvironment"][1] == "dev");
    CHECK(connection.MemberCount() == 9);
    CHECK(read(deleted_id).status == 404);
    CHECK(read(unknown_id).status == 404);
    CHECK(read("abc").status == 400);
    CHECK(read(std::string(deleted_id) + "?includeDeleted=true").body.find("2026-01-01") !=
          std::string::npos);
}

TEST_CASE("whoami tells an admin from a viewer") {
    Model model(seed());
    const auto role = [&](const std::string& token) {
        const auto answer = model.handle(request("GET", "/api/v1/whoami", "", token)).answer;
        return std::string(parsed(answer.body)["orgRole"].GetString());
    };
    CHECK(role("admin") == "ADMIN");
    CHECK(role("viewer") == "VIEWER");
}

TEST_CASE("a seed that is wrong is named") {
    const std::pair<const char*, const char*> cases[] = {
        {"- {name: x}", "UUID"},
        {"- {id: 11111111-1111-4111-8111-111111111111, colour: red}", "unknown field \"colour\""},
        {"- {id: 11111111-1111-4111-8111-111111111111, deleted: 'true'}", "true or false"},
        {"[{id: 11111111-1111-4111-8111-111111111111}, {id: 11111111-1111-4111-8111-111111111111}]",
         "twice"},
        {"connections: 5", "list"},
        {"users: []", "unknown field"},
        {"tokens: [{token: a, role: boss}]", "role"},
        {"tokens: ['a b']", "visible ASCII"},
        {"tokens: [a, a]", "twice"},
        {"tokens: [{token: a, connections: [x]}]", "UUIDs"},
        {"just text", "neither a list"},
        {"- [", "line"},
    };
    for (const auto& [yaml, part] : cases) {
        CAPTURE(yaml);
        const auto parsed_seed = parse_seed(yaml, "now");
        REQUIRE(parsed_seed.has_error());
        CHECK(parsed_seed.error().message.find(part) != std::string::npos);
    }
    const auto plain = parse_seed("- {id: 11111111-1111-4111-8111-111111111111, name: 12}", "now");
    REQUIRE(plain.has_value());
    CHECK(plain->connections[0].name == "12");
    CHECK(parse_seed("", "now").has_value());
}

TEST_CASE("masks tell values apart and hold none") {
    CHECK(mask_credential("password", "correct horse ba") ==
          "‹password, 16 bytes, sha256 726a365a›");
    CHECK(mask_credential("password", "x") == "‹password, 1 byte, sha256 2d711642›");
    const auto masked = [](const char* body) {
        const auto document = parsed(body);
        return to_json([&](JsonWriter& writer) { write_masked_body(writer, document); });
    };
    CHECK(masked(R"({"passwordUnencrypted":"x","baseRole":"VIEWER"})") ==
          R"({"passwordUnencrypted":"‹password, 1 byte, sha256 2d711642›","baseRole":"VIEWER"})");
    CHECK(masked(R"({"privateKey":"x"})") ==
          R"({"privateKey":"‹private key, 1 byte, sha256 2d711642›"})");
    CHECK(masked(R"({"password":"x","privateKey":{"a":"x"},"environmentUserAttribute":null})") ==
          R"({"password":"‹masked›","privateKey":"‹masked›","environmentUserAttribute":null})");
    CHECK(masked(R"(["x"])") == R"("‹masked›")");
}

TEST_CASE("an answer on the wire") {
    Answer answer{.status = 429, .body = "{}", .headers = {{"Retry-After", "3"}}};
    CHECK(serialize(answer, "GET", AfterAnswer::keep_alive).text ==
          "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Type: application/json\r\n"
          "Content-Length: 2\r\n\r\n{}");
    CHECK(serialize(answer, "HEAD", AfterAnswer::close).text.ends_with("Length: 2\r\n\r\n"));
    CHECK(serialize(answer, "GET", AfterAnswer::close).text.find("Connection: close\r\n") !=
          std::string::npos);
    answer.status = 204;
    CHECK(serialize(answer, "GET", AfterAnswer::keep_alive).text ==
          "HTTP/1.1 204 No Content\r\nRetry-After: 3\r\n\r\n");
}
