// The engine and its admin interface, as the server drives them.
#include "admin.hpp"
#include "support.hpp"

using namespace emulator;
using namespace emulator_test;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    Engine engine{seed(), {.requests_per_minute = 3}};

    Answer admin(const std::string& method, const std::string& path, const std::string& body = "") {
        return answer_admin(engine, request(method, "/_emulator/" + path, body, ""), at(0s));
    }

    rapidjson::Document read(const std::string& path) { return parsed(admin("GET", path).body); }

    /// Plays the server for a request that is answered at once.
    unsigned serve(const Request& sent, std::chrono::milliseconds time = 0s) {
        const auto ticket = engine.receive(sent, at(time));
        Answer answer;
        if (ticket.course.apply == Apply::now)
            answer = engine.handle(ticket.seq, sent);
        if (ticket.course.answer)
            answer = *ticket.course.answer;
        engine.answering(ticket.seq, answer.status);
        return answer.status;
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "requests are told as they came") {
    CHECK(serve(patch(postgres_id, R"({"passwordUnencrypted":"new"})"), 5ms) == 200);
    CHECK(serve(patch(postgres_id, "{")) == 400);
    CHECK(serve(request("GET", "/api/v1/whoami?x=1", "", "wrong")) == 401);
    const auto log = read("requests");
    CHECK(log["next"].GetInt() == 4);
    const auto& first = log["requests"][0];
    CHECK(first["seq"].GetInt() == 1);
    CHECK(first["timeUnixMs"].GetDouble() == 1'700'000'000'005.0);
    CHECK(first["method"] == "PATCH");
    CHECK(first["connectionID"] == postgres_id);
    CHECK(first["tokenIndex"].GetInt() == 0);
    CHECK(first["status"].GetInt() == 200);
    CHECK(first["applied"].GetBool());
    CHECK(first["body"]["passwordUnencrypted"] == "new");
    CHECK(first["fault"].IsNull());
    CHECK(log["requests"][1]["body"].IsNull());
    CHECK_FALSE(log["requests"][1]["applied"].GetBool());
    CHECK(log["requests"][2]["tokenIndex"].IsNull());
    CHECK(log["requests"][2]["connectionID"].IsNull());
    CHECK(log["requests"][2]["path"] == "/api/v1/whoami?x=1");
    CHECK(read("requests?since=3")["requests"].Size() == 1);
    CHECK(admin("GET", "requests?mask=1").body.find("\"new\"") == std::string::npos);
    CHECK(admin("GET", "requests?mask=1").body.find("‹password, 3 bytes") != std::string::npos);
    CHECK(admin("DELETE", "requests").status == 200);
    CHECK(read("requests")["requests"].Size() == 0);
    CHECK(read("requests")["next"].GetInt() == 4);
}

TEST_CASE_FIXTURE(Fixture, "over the limit nothing is stored and no fault used up") {
    admin("PUT", "faults", R"([{"name":"f","action":"respond","status":503}])");
    for (int i = 0; i < 3; ++i)
        CHECK(serve(request("GET", "/api/v1/whoami")) == 503);
    const auto over = patch(postgres_id, R"({"passwordUnencrypted":"new"})");
    const auto ticket = engine.receive(over, at(1s));
    CHECK(ticket.course.apply == Apply::never);
    CHECK(ticket.course.answer->status == 429);
    CHECK(ticket.course.answer->headers.empty()); // no Retry-After
    CHECK(read("faults")["faults"][0]["matched"].GetInt() == 3);
    CHECK(serve(over, 60s) == 503);
    CHECK(serve(request("GET", "/api/v1/whoami", "", "wrong"), 1s) == 503); // counts for nobody
    const auto stats = read("stats");
    CHECK(stats["received"].GetInt() == 6);
    CHECK(stats["refused429"].GetInt() == 1);
    CHECK(stats["maxInWindow"].GetInt() == 4);
    CHECK(stats["applied"].GetInt() == 0);
    CHECK(stats["byStatus"]["503"].GetInt() == 5);
}

TEST_CASE_FIXTURE(Fixture, "a request can be applied after its log entry is gone") {
    admin("PUT", "faults", R"({"faults":[{"action":"apply-late","delayMs":10,"count":1}]})");
    const auto sent = patch(postgres_id, R"({"passwordUnencrypted":"late"})");
    const auto ticket = engine.receive(sent, at(0s));
    CHECK(ticket.course.apply == Apply::late);
    CHECK(read("requests")["requests"][0]["fault"] == "apply-late");
    CHECK(read("requests")["requests"][0]["status"].GetInt() == 0);
    admin("DELETE", "requests");
    engine.handle(ticket.seq, sent);
    CHECK(engine.model().connections().at(postgres_id).password == "late");
    CHECK(read("stats")["applied"].GetInt() == 1);
}

TEST_CASE_FIXTURE(Fixture, "connections can be put, marked as deleted and purged") {
    const std::string path = std::string("connections/") + unknown_id;
    CHECK(admin("PUT", path, R"({"name":"New","dialect":"mysql","password":"p"})").status == 200);
    CHECK(serve(patch(unknown_id, R"({"passwordUnencrypted":"q"})")) == 200);
    const auto all = read("connections");
    const auto& connection = all["connections"][4];
    CHECK(connection["name"] == "New");
    CHECK(connection["password"] == "q");
    CHECK(connection["privateKey"].IsNull());
    CHECK(connection["applied"]["passwordUnencrypted"].GetInt() == 1);
    CHECK(admin("GET", "connections?mask=1").body.find("\"q\"") == std::string::npos);
    CHECK(admin("DELETE", path).status == 200);
    CHECK(read("connections")["connections"][4]["deleted"].GetBool());
    CHECK(serve(patch(unknown_id, R"({"passwordUnencrypted":"q"})")) == 404);
    CHECK(admin("DELETE", path + "?purge=1").status == 200);
    CHECK(admin("DELETE", path).status == 404);
}

TEST_CASE_FIXTURE(Fixture, "what is shown of a connection can be put back") {
    const auto before = admin("GET", "connections").body;
    const auto all = read("connections");
    for (const auto& connection : all["connections"].GetArray()) {
        const auto text = to_json([&](JsonWriter& writer) { connection.Accept(writer); });
        CHECK(
            admin("PUT", std::string("connections/") + connection["id"].GetString(), text).status ==
            200);
    }
    CHECK(admin("GET", "connections").body == before);
}

TEST_CASE_FIXTURE(Fixture, "tokens and limits can be replaced") {
    CHECK(admin("PUT", "tokens", R"({"tokens":["next"]})").status == 200);
    CHECK(serve(request("GET", "/api/v1/whoami", "", "admin")) == 401);
    CHECK(serve(request("GET", "/api/v1/whoami", "", "next")) == 200);
    CHECK(admin("PUT", "limits", R"({"requestsPerMinute":1,"rateWindow":"fixed"})").status == 200);
    CHECK(read("limits")["rateWindow"] == "fixed");
    CHECK(read("limits")["requestsPerMinute"].GetInt() == 1);
    CHECK(serve(request("GET", "/api/v1/whoami", "", "next")) == 200); // a new window
    CHECK(serve(request("GET", "/api/v1/whoami", "", "next")) == 429);
}

TEST_CASE_FIXTURE(Fixture, "reset clears log, statistics and faults") {
    admin("POST", "faults", R"({"action":"drop","method":"PUT"})");
    serve(request("GET", "/api/v1/whoami"));
    CHECK(admin("POST", "reset").status == 200);
    CHECK(read("requests")["requests"].Empty());
    CHECK(read("faults")["faults"].Empty());
    CHECK(admin("GET", "stats").body ==
          R"({"received":0,"applied":0,"refused429":0,"maxInWindow":0,"byStatus":{}})");
}

TEST_CASE_FIXTURE(Fixture, "a mistake is named") {
    struct Case {
        const char* method;
        std::string path;
        const char* body;
        unsigned status;
        const char* part;
    };

    const std::string connection = std::string("connections/") + postgres_id;
    const Case cases[] = {
        {"GET", "requests?since=x", "", 400, "since"},
        {"PUT", "faults", "{", 400, "not JSON"},
        {"PUT", "faults", R"([{"action":"drop"},{"action":"x"}])", 400, "fault 1: action"},
        {"PUT", "faults", "{}", 400, "list"},
        {"PUT", "faults", R"({"fault":[]})", 400, "unknown field \"fault\""},
        {"PUT", "tokens", R"({"tokens":"a"})", 400, "list"},
        {"PUT", "tokens", "{}", 400, "tokens is required"},
        {"PUT", "limits", R"({"requestsPerMinute":0})", 400, "requestsPerMinute"},
        {"PUT", "limits", R"({"rateWindow":"round"})", 400, "rateWindow"},
        {"PUT", "limits", R"({"perMinute":1})", 400, "perMinute"},
        {"PUT", connection, R"({"id":"22222222-2222-4222-8222-222222222222"})", 400, "differs"},
        {"PUT", connection, R"({"dialect":""})", 400, "dialect"},
        {"PUT", "connections/x", "{}", 400, "UUID"},
        {"DELETE", std::string("connections/") + unknown_id, "", 404, "no such"},
        {"POST", "stats", "", 405, "GET"},
        {"GET", "nothing", "", 404, "no such"},
    };
    for (const auto& [method, path, body, status, part] : cases) {
        CAPTURE(path);
        CAPTURE(body);
        const auto answer = admin(method, path, body);
        CHECK(answer.status == status);
        CHECK(std::string(parsed(answer.body)["message"].GetString()).find(part) !=
              std::string::npos);
    }
}
