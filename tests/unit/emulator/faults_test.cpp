#include "faults.hpp"
#include "support.hpp"

using namespace emulator;
using namespace emulator_test;

namespace {

Fault fault(const std::string& text) {
    const auto document = parsed(text);
    auto decoded = decode_fault(document);
    REQUIRE_MESSAGE(decoded.has_value(), decoded.error().message);
    return std::move(*decoded);
}

std::string matched_name(FaultList& list, const char* method, const std::string& path) {
    const Fault* found = list.match(method, path);
    return found ? found->name : "";
}

} // namespace

TEST_CASE("each action has its course") {
    struct Case {
        const char* text;
        Apply apply;
        Reply reply;
        int wait_ms;
    };

    const Case cases[] = {
        {R"({"action":"respond","status":503})", Apply::never, Reply::whole, 0},
        {R"({"action":"delay","delayMs":20})", Apply::now, Reply::whole, 20},
        {R"({"action":"drop"})", Apply::never, Reply::close, 0},
        {R"({"action":"drop-after-apply"})", Apply::now, Reply::close, 0},
        {R"({"action":"hang"})", Apply::never, Reply::hang, 0},
        {R"({"action":"hang-after-apply"})", Apply::now, Reply::hang, 0},
        {R"({"action":"apply-late","delayMs":30})", Apply::late, Reply::close, 30},
        {R"({"action":"truncate"})", Apply::now, Reply::half, 0},
    };
    for (const auto& [text, apply, reply, wait_ms] : cases) {
        CAPTURE(text);
        const auto course = fault(text).course;
        CHECK(course.apply == apply);
        CHECK(course.reply == reply);
        CHECK(course.wait.count() == wait_ms);
        CHECK(course.answer.has_value() == (apply == Apply::never && reply == Reply::whole));
    }
}

TEST_CASE("the first fault that fits is used, as often as it says") {
    const std::string postgres = std::string("/api/v1/connections/") + postgres_id;
    const std::string snowflake = std::string("/api/v1/connections/") + snowflake_id;
    FaultList list;
    list.add(fault(R"({"name":"one","method":"PATCH","connectionID":")" + std::string(postgres_id) +
                   R"(","count":2,"action":"drop"})"));
    list.add(fault(R"({"name":"two","method":"PATCH","action":"hang"})"));
    list.add(fault(R"({"name":"three","pathPrefix":"/api/v1/who","action":"drop"})"));
    CHECK(matched_name(list, "PATCH", postgres) == "one");
    CHECK(matched_name(list, "PATCH", snowflake) == "two");
    CHECK(matched_name(list, "PATCH", postgres) == "one");
    CHECK(matched_name(list, "PATCH", postgres) == "two");
    CHECK(matched_name(list, "GET", postgres) == "");
    CHECK(matched_name(list, "GET", "/api/v1/whoami") == "three");
    CHECK(list.all()[0].count == 0U);
    CHECK(list.all()[1].matched == 2);
    list.clear();
    CHECK(matched_name(list, "PATCH", postgres) == "");
}

TEST_CASE("an injected answer") {
    const auto json = fault(R"({"action":"respond","status":429,"headers":{"Retry-After":"7"},
                                "body":{"detail":"slow"}})");
    CHECK(json.course.answer->status == 429);
    CHECK(json.course.answer->body == R"({"detail":"slow"})");
    CHECK(json.course.answer->content_type == "application/json");
    CHECK(json.course.answer->headers[0].second == "7");
    const auto page = fault(R"({"action":"respond","status":502,"body":"<html>"})");
    CHECK(page.course.answer->body == "<html>");
    CHECK(page.course.answer->content_type.starts_with("text/html"));
}

TEST_CASE("what is shown can be put back") {
    for (const char* text : {
             R"({"name":"a","count":3,"action":"respond","status":502,"body":"<html>"})",
             R"({"action":"respond","status":422,"headers":{"A":"b"},"body":{"x":[1]}})",
             R"({"action":"respond","status":500})",
             R"({"method":"GET","pathPrefix":"/api","action":"delay","delayMs":5})",
         }) {
        const auto shown = to_json([&](JsonWriter& writer) { write_fault(writer, fault(text)); });
        CAPTURE(shown);
        CHECK(to_json([&](JsonWriter& writer) { write_fault(writer, fault(shown)); }) == shown);
    }
}

TEST_CASE("a fault that is wrong is named") {
    const std::pair<const char*, const char*> cases[] = {
        {"[]", "object"},
        {"{}", "action must be one of respond delay drop"},
        {R"({"action":"explode"})", "action must be one of"},
        {R"({"action":"respond"})", "status is required"},
        {R"({"action":"respond","status":99})", "status must be"},
        {R"({"action":"respond","status":"500"})", "status must be"},
        {R"({"action":"respond","status":500,"headers":{"a b":"c"}})", "header"},
        {"{\"action\":\"respond\",\"status\":500,\"headers\":{\"a\":\"b\\r\\nc\"}}", "header"},
        {R"({"action":"respond","status":500,"headers":{"Content-Length":"1"}})", "Content-Length"},
        {R"({"action":"delay"})", "delayMs is required"},
        {R"({"action":"delay","delayMs":-1})", "delayMs must be"},
        {R"({"action":"drop","delayMs":1})", "unknown field \"delayMs\""},
        {R"({"action":"drop","count":-1})", "count must be"},
        {R"({"action":"drop","connectionID":"x"})", "UUID"},
        {R"({"action":"drop","pathPrefix":"api"})", "begin with /"},
        {R"({"action":"drop","colour":"red"})", "unknown field \"colour\""},
    };
    for (const auto& [text, part] : cases) {
        CAPTURE(text);
        const auto document = parsed(text);
        const auto decoded = decode_fault(document);
        REQUIRE(decoded.has_error());
        CHECK(decoded.error().message.find(part) != std::string::npos);
    }
}
