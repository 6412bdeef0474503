// Every answer of PATCH /api/v1/connections/{id} that Omni documents.
#include "model.hpp"
#include "support.hpp"

using namespace emulator;
using namespace emulator_test;

namespace {

struct Case {
    const char* what;
    const char* id;
    std::string body;
    unsigned status;
    const char* message; ///< a part of the answer's message
};

void check_answers(const std::vector<Case>& cases) {
    for (const auto& [what, id, body, status, message] : cases) {
        CAPTURE(what);
        Model model(seed());
        const auto outcome = model.handle(patch(id, body));
        CHECK(outcome.answer.status == status);
        CHECK(outcome.applied == (status == 200));
        CHECK(outcome.answer.content_type == "application/json");
        const auto answer = parsed(outcome.answer.body);
        CHECK(std::string(answer["message"].GetString()).find(message) != std::string::npos);
        if (status == 200) {
            CHECK(answer["success"].GetBool());
        } else {
            CHECK(answer["error"].GetString() == std::to_string(status));
        }
    }
}

const char* const service_account =
    R"({"type":"service_account","project_id":"p","private_key":"k","client_email":"e"})";

} // namespace

TEST_CASE("a PATCH stores what it documents") {
    check_answers({
        {"password", postgres_id, R"({"passwordUnencrypted":"new"})", 200,
         "Updated connection credentials."},
        {"password and role", postgres_id, R"({"passwordUnencrypted":"new","baseRole":"MODELER"})",
         200, "Updated connection credentials."},
        {"service account", bigquery_id, json_object("passwordUnencrypted", service_account), 200,
         "Updated connection credentials."},
        {"private key", snowflake_id, json_object("privateKey", private_key("rsa")), 200,
         "Updated connection credentials."},
        {"role", postgres_id, R"({"baseRole":"NO_ACCESS"})", 200, "role"},
        {"custom role", postgres_id, R"({"baseRole":"Data Steward"})", 200, "role"},
        {"attribute", postgres_id,
         R"({"environmentUserAttribute":{"attributeName":"a","defaultValues":[]}})", 200,
         "attribute"},
        {"no attribute", postgres_id, R"({"environmentUserAttribute":null})", 200, "attribute"},
        {"settings", postgres_id, R"({"baseRole":"VIEWER","environmentUserAttribute":null})", 200,
         "settings"},
    });
}

TEST_CASE("a PATCH with a bad body is a 400 that names the mistake") {
    check_answers({
        {"empty", postgres_id, "", 400, "Empty request body"},
        {"no JSON", postgres_id, "{", 400, "not JSON"},
        {"invalid UTF-8", postgres_id, "{\"passwordUnencrypted\":\"\xff\"}", 400, "not JSON"},
        {"more behind it", postgres_id, R"({"baseRole":"VIEWER"} x)", 400, "not JSON"},
        {"deep", postgres_id, std::string(100'000, '['), 400, "nested deeper"},
        {"list", postgres_id, "[]", 400, "not a JSON object"},
        {"no field", postgres_id, "{}", 400, "At least one field"},
        {"unknown field", postgres_id, R"({"password":"x"})", 400, "unknown field \"password\""},
        {"one field twice", postgres_id, R"({"baseRole":"VIEWER","baseRole":"VIEWER"})", 400,
         "twice"},
        {"password of wrong type", postgres_id, R"({"passwordUnencrypted":1})", 400,
         "passwordUnencrypted must be a string"},
        {"null password", postgres_id, R"({"passwordUnencrypted":null})", 400,
         "passwordUnencrypted must be a string"},
        {"empty password", postgres_id, R"({"passwordUnencrypted":""})", 400,
         "Empty passwordUnencrypted"},
        {"key of wrong type", snowflake_id, R"({"privateKey":[]})", 400,
         "privateKey must be a string"},
        {"role of wrong type", postgres_id, R"({"baseRole":null})", 400,
         "baseRole must be a string"},
        {"unknown role", postgres_id, R"({"baseRole":"OWNER"})", 400, "baseRole"},
        {"role in lower case", postgres_id, R"({"baseRole":"viewer"})", 400, "baseRole"},
    });
}

TEST_CASE("environmentUserAttribute is checked strictly") {
    const auto body = [](const char* attribute) {
        return std::string(R"({"environmentUserAttribute":)") + attribute + "}";
    };
    check_answers({
        {"string", postgres_id, body(R"("env")"), 400, "must be an object or null"},
        {"empty", postgres_id, body("{}"), 400, "attributeName is required"},
        {"no values", postgres_id, body(R"({"attributeName":"a"})"), 400,
         "defaultValues is required"},
        {"no name", postgres_id, body(R"({"defaultValues":[]})"), 400, "attributeName is required"},
        {"another key", postgres_id, body(R"({"attributeName":"a","defaultValues":[],"x":1})"), 400,
         "unknown field \"x\""},
        {"empty name", postgres_id, body(R"({"attributeName":"","defaultValues":[]})"), 400,
         "attributeName must not be empty"},
        {"name of wrong type", postgres_id, body(R"({"attributeName":1,"defaultValues":[]})"), 400,
         "attributeName must be a string"},
        {"values as string", postgres_id, body(R"({"attributeName":"a","defaultValues":"b"})"), 400,
         "list of strings"},
        {"value of wrong type", postgres_id, body(R"({"attributeName":"a","defaultValues":[1]})"),
         400, "list of strings"},
    });
}

TEST_CASE("a credential must suit the dialect") {
    const auto key = [](const std::string& text) {
        return json_object("privateKey", text);
    };
    const auto rsa = private_key("rsa");
    auto damaged = rsa;
    damaged[200] = '!';
    check_answers({
        {"key for Postgres", postgres_id, key(rsa), 400, "only applicable to Snowflake"},
        {"empty key", snowflake_id, key(""), 400, "Empty private key provided"},
        {"blank key", snowflake_id, key(" \n"), 400, "Empty private key provided"},
        {"no PEM", snowflake_id, key("abc"), 400, "Invalid private key format"},
        {"damaged", snowflake_id, key(damaged), 400, "Invalid private key format"},
        {"text before it", snowflake_id, key("x" + rsa), 400, "Invalid private key format"},
        {"two keys", snowflake_id, key(rsa + rsa), 400, "Invalid private key format"},
        {"PKCS#1", snowflake_id, key(private_key("pkcs1")), 400, "Invalid private key format"},
        {"encrypted", snowflake_id, key(private_key("encrypted")), 400, "encrypted"},
        {"no RSA", snowflake_id, key(private_key("ec")), 400, "not an RSA key"},
        {"short", snowflake_id, key(private_key("rsa", 1024)), 400, "insufficient key length"},
        {"password for BigQuery", bigquery_id, R"({"passwordUnencrypted":"secret"})", 400,
         "service account"},
        {"wrong type of account", bigquery_id,
         json_object("passwordUnencrypted", R"({"type":"authorized_user"})"), 400,
         "service_account"},
    });
}

TEST_CASE("who and where") {
    const std::string body = R"({"passwordUnencrypted":"new"})";
    check_answers({
        {"unknown", unknown_id, body, 404, "not found"},
        {"deleted", deleted_id, body, 404, "not found"},
        {"no UUID", "abc", body, 400, "UUID"},
    });
    Model model(seed());
    const auto status = [&](const Request& sent) {
        return model.handle(sent).answer.status;
    };
    const std::string path = std::string("/api/v1/connections/") + postgres_id;
    CHECK(status(request("PATCH", path, body, "viewer")) == 403);
    CHECK(status(request("PATCH", path, body, "limited")) == 200);
    CHECK(status(request("PATCH", std::string("/api/v1/connections/") + snowflake_id, body,
                         "limited")) == 403);
    CHECK(status(request("PATCH", path, body, "wrong")) == 401);
    CHECK(status(request("PATCH", path, body, "")) == 401);
    auto anonymous = patch(postgres_id, body);
    anonymous.authorization.reset();
    CHECK(status(anonymous) == 401);
    anonymous.authorization = "Basic admin";
    CHECK(status(anonymous) == 401);
    auto form = patch(postgres_id, body);
    form.content_type = "text/plain";
    CHECK(status(form) == 400);
    form.content_type = "Application/JSON ; charset=utf-8";
    CHECK(status(form) == 200);
    auto huge = patch(postgres_id, "");
    huge.body_too_large = true;
    CHECK(status(huge) == 413);
    CHECK(status(request("PUT", path, body)) == 405);
    CHECK(status(request("POST", "/api/v1/connections", body)) == 405);
    CHECK(status(request("GET", "/api/v1/models")) == 404);
    CHECK(status(request("GET", "/")) == 404);
    CHECK(status(request("PATCH", path + "/x", body)) == 404);
}

TEST_CASE("only what was sent changes, and all of it or nothing") {
    Model model(seed());
    const auto& connection = model.connections().at(postgres_id);
    model.handle(patch(postgres_id, R"({"passwordUnencrypted":"new","baseRole":"OWNER"})"));
    CHECK(connection.password == "first");
    CHECK(connection.applied.password == 0);
    model.handle(patch(postgres_id, R"({"passwordUnencrypted":"second"})"));
    CHECK(connection.password == "second");
    CHECK(connection.base_role == "QUERIER");
    CHECK(connection.environment->default_values == std::vector<std::string>{"prod", "dev"});
    model.handle(patch(postgres_id, R"({"environmentUserAttribute":null})"));
    CHECK(!connection.environment);
    CHECK(connection.applied.password == 1);
    CHECK(connection.applied.environment == 1);
    CHECK(connection.applied.base_role == 0);
}
