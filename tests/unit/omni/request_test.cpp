#include "base/json.hpp"
#include "omni/request.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace oco;
using namespace oco::omni;

namespace {

constexpr std::string_view id = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

Update password_update(std::string_view text) {
    Update update;
    update.password = SecretBytes(text);
    return update;
}

Update private_key(std::string_view text) {
    Update update;
    update.private_key = SecretBytes(text);
    return update;
}

Update role(std::string_view text) {
    Update update;
    update.base_role = text;
    return update;
}

Update environment(std::string_view attribute, std::vector<std::string> values) {
    Update update;
    update.environment_user_attribute.emplace(EnvironmentUserAttribute{
        .attribute_name = std::string(attribute), .default_values = std::move(values)});
    return update;
}

Update no_environment() {
    Update update;
    update.environment_user_attribute.emplace(
        EnvironmentUserAttribute{.state = EnvironmentUserAttribute::State::absent,
                                 .attribute_name = "ignored",
                                 .default_values = {"ignored"}});
    return update;
}

std::string body_of(const Update& update) {
    return std::string(update_request(id, update).body.expose());
}

} // namespace

TEST_CASE("update: the documentation's examples, byte for byte") {
    SUBCASE("rotatePassword") {
        CHECK(body_of(password_update("new-password-here")) ==
              R"({"passwordUnencrypted":"new-password-here"})");
    }
    SUBCASE("rotateBigQueryKey: a JSON text within JSON") {
        CHECK(body_of(password_update(
                  R"({"type":"service_account","private_key_id":"abc123...",)"
                  R"("private_key":"-----BEGIN PRIVATE KEY-----\nMIIEvgIBA...\n-----END)"
                  R"( PRIVATE KEY-----\n","auth_uri":"https://accounts.google.com/"})")) ==
              R"({"passwordUnencrypted":"{\"type\":\"service_account\",\"private_key_id\":)"
              R"(\"abc123...\",\"private_key\":\"-----BEGIN PRIVATE KEY-----\\nMIIEvgIBA...)"
              R"(\\n-----END PRIVATE KEY-----\\n\",\"auth_uri\":)"
              R"(\"https://accounts.google.com/\"}"})");
    }
    SUBCASE("rotateSnowflakeKey") {
        CHECK(body_of(private_key("-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBg...")) ==
              R"({"privateKey":"-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBg..."})");
    }
    SUBCASE("updateRole") {
        CHECK(body_of(role("QUERIER")) == R"({"baseRole":"QUERIER"})");
    }
    SUBCASE("combinedUpdate") {
        auto update = password_update("new-password-here");
        update.base_role = "MODELER";
        CHECK(body_of(update) ==
              R"({"passwordUnencrypted":"new-password-here","baseRole":"MODELER"})");
    }
}

TEST_CASE("update: the environment attribute, and all fields at once") {
    CHECK(body_of(environment("env", {"prod", "eu"})) ==
          R"({"environmentUserAttribute":{"attributeName":"env","defaultValues":["prod","eu"]}})");
    CHECK(body_of(environment("env", {})) ==
          R"({"environmentUserAttribute":{"attributeName":"env","defaultValues":[]}})");
    CHECK(
        body_of(environment("a\"b", {"x,y", "", "\n"})) ==
        R"({"environmentUserAttribute":{"attributeName":"a\"b","defaultValues":["x,y","","\n"]}})");
    CHECK(body_of(no_environment()) == R"({"environmentUserAttribute":null})");
    auto all = no_environment();
    all.password = SecretBytes("p");
    all.private_key = SecretBytes("k");
    all.base_role = "Finance \"read\"";
    CHECK(body_of(all) == R"({"passwordUnencrypted":"p","privateKey":"k",)"
                          R"("baseRole":"Finance \"read\"","environmentUserAttribute":null})");
}

TEST_CASE("update: what was not set is not sent") {
    CHECK(Update().empty());
    CHECK_FALSE(password_update("p").empty());
    CHECK_FALSE(private_key("k").empty());
    CHECK_FALSE(role("R").empty());
    CHECK_FALSE(no_environment().empty());
    CHECK(body_of(role("R")).find("assword") == std::string::npos);
    CHECK(body_of(password_update("p")).find("environment") == std::string::npos);
}

TEST_CASE("requests: method, path and headers") {
    const auto update = update_request(id, role("VIEWER"));
    CHECK(update.method == "PATCH");
    CHECK(update.target == "/api/v1/connections/" + std::string(id));
    CHECK(update.headers ==
          http::Headers{{"Accept", "application/json"}, {"Content-Type", "application/json"}});
    CHECK(update.bearer.empty());
    const auto list = list_request();
    CHECK(list.method == "GET");
    CHECK(list.target == "/api/v1/connections");
    CHECK(list.headers == http::Headers{{"Accept", "application/json"}});
    CHECK(list.body.empty());
    CHECK(get_request(id).target == "/api/v1/connections/" + std::string(id));
    CHECK(get_request(id).method == "GET");
    CHECK(whoami_request().target == "/api/v1/whoami");
    CHECK(whoami_request().method == "GET");
    // An id is one path segment, whatever it holds.
    CHECK(get_request("../x?y#z\r\n").target == "/api/v1/connections/..%2Fx%3Fy%23z%0D%0A");
    CHECK(update_request("a b", role("R")).target == "/api/v1/connections/a%20b");
}

TEST_CASE("update: every byte of a large credential survives the way") {
    std::string text;
    for (int i = 0; i < 100'000; ++i)
        text += static_cast<char>(i % 0x80);
    const auto parsed = json::parse(body_of(password_update(text)));
    REQUIRE(parsed.has_value());
    CHECK(json::string_at(*parsed, "passwordUnencrypted") == text);
}
