#include "base/json.hpp"
#include "base/text.hpp"
#include "omni/answer.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace oco;
using namespace oco::omni;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

constexpr std::string_view withheld = "(text withheld: it repeats part of what was sent)";
const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + 20h + 24min + 51s;

http::Response answer(int status, std::string_view body, http::Headers headers = {}) {
    http::Response response;
    response.status = status;
    response.headers = std::move(headers);
    response.body = SecretBytes(body);
    return response;
}

Error error(int status, std::string_view body, http::Headers headers = {}) {
    return error_of(answer(status, body, std::move(headers)), {}, now);
}

Error error_after(std::string_view password, std::string_view body) {
    Update update;
    update.password = SecretBytes(password);
    return error_of(answer(400, body), {.update = &update}, now);
}

std::string json_text(std::string_view text) {
    return json::Writer().value(text).str();
}

std::string message_body(std::string_view text) {
    return R"({"error":"400","message":)" + json_text(text) + "}";
}

} // namespace

TEST_CASE("errors: class and certainty by status") {
    using enum ErrorClass;

    struct Case {
        int status;
        ErrorClass kind;
        Sent sent;
    };

    const std::vector<Case> cases = {
        {100, unavailable, Sent::maybe}, {301, unavailable, Sent::no},
        {302, unavailable, Sent::no},    {307, unavailable, Sent::no},
        {308, unavailable, Sent::no},    {400, refused, Sent::no},
        {401, unauthorized, Sent::no},   {402, unavailable, Sent::no},
        {403, forbidden, Sent::no},      {404, not_found, Sent::no},
        {405, unavailable, Sent::no},    {408, unavailable, Sent::maybe},
        {409, unavailable, Sent::no},    {410, not_found, Sent::no},
        {413, unavailable, Sent::no},    {415, unavailable, Sent::no},
        {422, refused, Sent::no},        {425, unavailable, Sent::no},
        {429, rate_limited, Sent::no},   {451, unavailable, Sent::no},
        {500, unavailable, Sent::maybe}, {501, unavailable, Sent::maybe},
        {502, unavailable, Sent::maybe}, {503, unavailable, Sent::maybe},
        {504, unavailable, Sent::maybe}, {524, unavailable, Sent::maybe},
    };
    for (const auto& [status, kind, sent] : cases) {
        INFO(status);
        const auto e = error(status, "");
        CHECK(e.kind == kind);
        CHECK(e.sent == sent);
        CHECK(e.http_status == status);
        CHECK_FALSE(e.retry_after);
        CHECK(e.message.starts_with("Omni returned " + std::to_string(status)));
    }
}

TEST_CASE("errors: the most specific text is shown") {
    struct Case {
        std::string body, shown;
    };

    const std::vector<Case> cases = {
        {"", ""},
        {R"({"error":"400","message":"Invalid private key format"})",
         ": Invalid private key format"},
        {R"({"message":"m","error":"e","detail":"d"})", ": m"},
        {R"({"detail":"No such connection","status":404})", ": No such connection"},
        {R"({"error":"Bad Request"})", ": Bad Request"},
        {R"({"error":"400"})", ""},
        {R"({"error":"Bad Request","message":""})", ": Bad Request"},
        {R"({"error":"Bad Request","message":null})", ": Bad Request"},
        {R"({"error":{"message":"nested"}})", ": nested"},
        {R"({"errors":[{"message":"first"},{"message":"second"}]})", ": first"},
        {R"({"message":["one","two"]})", ": one"},
        {R"({"title":"Unprocessable"})", ": Unprocessable"},
        {R"({"message":{"message":{"message":{"message":"deep"}}}})", ""},
        {R"("just a text")", ": just a text"},
        {R"({"success":false})", ""},
        {"{}", ""},
        {"[]", ""},
        {"42", ""},
        {"null", ""},
        {"upstream connect error\r\n", ": upstream connect error"},
        {R"({"message":"two\nlines\tand \u001b[31mred\u0000\u009b"})", ": two lines and [31mred"},
        {R"({"message":"Gr\u00fc\u00dfe"})", ": Gr\xc3\xbc\xc3\x9f"
                                             "e"},
        {R"({"message":"broken)", R"(: {"message":"broken)"},
        {"\xff\xfe", ": ??"},
        {"  \r\n ", ""},
        {"<!DOCTYPE html><p>Bad gateway</p>", ": (an HTML page)"},
        {"\n <html>", ": (an HTML page)"},
    };
    for (const auto& [body, text] : cases) {
        INFO(body);
        CHECK(error(400, body).message == "Omni returned 400" + text);
    }
    CHECK(error(502, "Bad gateway", {{"content-type", "Text/HTML; charset=utf-8"}}).message ==
          "Omni returned 502: (an HTML page)");
    CHECK(error(307, R"({"message":"no"})", {{"location", "https://evil.example/"}}).message ==
          "Omni returned 307, a redirect, which is never followed; check spec.baseURL");
}

TEST_CASE("errors: long texts are cut") {
    for (const std::string& body :
         {message_body(std::string(100'000, 'x')), std::string(100'000, 'y'),
          message_body(std::string(60'000, '\n') + "z"), std::string(10'000'000, '{')}) {
        const auto text = error(400, body).message;
        CHECK(text.size() <= max_message_bytes);
        CHECK(printable(text) == text);
    }
    const auto text = error(400, message_body(std::string(5000, 'x'))).message;
    CHECK(text.ends_with("xxx..."));
}

TEST_CASE("errors: a server that repeats the credential is not quoted") {
    const std::string pem = "-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBgkqhkiG9w0BAQEF\n"
                            "-----END PRIVATE KEY-----\n";
    const std::string account =
        R"({"type": "service_account", "private_key": ")" + json_text(pem).substr(1, 40) + R"("})";

    struct Case {
        std::string sent, body;
    };

    const std::vector<Case> cases = {
        {"correct-horse-battery", message_body("Invalid value 'correct-horse-battery'")},
        {"correct-horse-battery", message_body("Invalid value 'correct-...'")}, // 8 bytes of it
        {"correct-horse-battery", "bad password: correct-horse-battery"},
        {"correct-horse-battery", R"({"error":"horse-battery staple"})"},
        {"correct-horse-battery", R"({"detail":"correct-\u0068orse"})"},
        {"correct-horse-battery", R"({"errors":[{"message":"at t-horse-b"}]})"},
        {"correct-horse-battery", R"("correct-horse-battery")"},
        {"correct-horse-battery", R"({"message":"correct-horse-battery)"}, // no valid JSON
        {"hunter2", message_body("the password hunter2 is too weak")},     // short: as a whole
        {"x", message_body("x is too short")},
        {"pass\nword", message_body("got pass\nword")},
        // Escaped again within the message, in different ways.
        {"a\"b\"c\"d\"e", message_body(R"(got {"p":"a\"b\"c\"d\"e"})")},
        {"a/b/c/d/e", message_body(R"(got {"p":"a\/b\/c\/d\/e"})")},
        {"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", message_body(R"(got \u00e4\u00F6\u00fc\u00df)")},
        {"\xf0\x9f\x94\x91\xf0\x9f\x94\x91", message_body(R"(got \ud83d\udd11\ud83d\udd11)")},
        {"a\x01"
         "b\x01"
         "c\x01"
         "d",
         message_body(R"(got a\u0001b\u0001c\u0001d)")},
        {"a\tb\tc\td\te", R"(not JSON: "a\tb\tc\td\te")"},
        // The credential as a text between the two: what is shown counts as well.
        {"abcd efgh", message_body("abcd\x01"
                                   "efgh")},
        {pem, message_body("cannot read " + pem)},
        {pem, message_body("expected -----BEGIN PRIVATE KEY-----")},
        {pem, message_body("cannot read MIIEvgIBADAN")},
        {pem, message_body(json_text(pem))},
        {account, message_body("Invalid " + account)},
        {account, message_body("Invalid " + json_text(account))},
        {account, "{\"received\":" + json_text(account)},
    };
    for (const auto& [sent, body] : cases) {
        INFO(body);
        CHECK(error_after(sent, body).message == "Omni returned 400: " + std::string(withheld));
        Update update;
        update.private_key = SecretBytes(sent);
        CHECK(error_of(answer(500, body), {.update = &update}, now).message ==
              "Omni returned 500: " + std::string(withheld));
        // The token is a credential as well.
        const SecretBytes token(sent);
        CHECK(error_of(answer(401, body), {.token = &token}, now).message ==
              "Omni returned 401: " + std::string(withheld));
    }
}

TEST_CASE("errors: what repeats nothing is quoted") {
    struct Case {
        std::string sent, body, shown;
    };

    const std::vector<Case> cases = {
        {"correct-horse", message_body("Invalid password"), "Invalid password"},
        {"correct-horse", message_body("correct it, horse"), "correct it, horse"},
        {"correct-horse", message_body("'correct' is wrong"), "'correct' is wrong"}, // 7 bytes
        {"hunter2", message_body("hunter is too weak"), "hunter is too weak"},
        {"hunter2", message_body(R"(C:\users\x \u12)"), R"(C:\users\x \u12)"},
        {"", message_body("empty"), "empty"},
    };
    for (const auto& [sent, body, shown] : cases) {
        INFO(body);
        CHECK(error_after(sent, body).message == "Omni returned 400: " + shown);
    }
    // A refused role may be named.
    Update update;
    update.password = SecretBytes("correct-horse");
    update.base_role = "ANALYSTS_OF_FINANCE";
    const auto e = error_of(answer(400, message_body("No such role: ANALYSTS_OF_FINANCE")),
                            {.update = &update}, now);
    CHECK(e.message == "Omni returned 400: No such role: ANALYSTS_OF_FINANCE");
}

TEST_CASE("errors: Retry-After") {
    struct Case {
        std::string value;
        std::optional<std::chrono::seconds> wait;
    };

    const std::vector<Case> cases = {
        {"1", 1s},
        {"30", 30s},
        {" 30 ", 30s},
        {"0030", 30s},
        {"600", 600s},
        {"601", 600s},
        {"86400", 600s},
        {"99999999999999999999999", 600s},
        {"Tue, 24 Nov 2026 20:25:21 GMT", 30s},
        {"Wed, 25 Nov 2026 20:24:51 GMT", 600s},
        {"Tuesday, 24-Nov-26 20:25:21 GMT", 30s},
        {"Tue Nov 24 20:25:21 2026", 30s},
        {"0", std::nullopt},
        {"-5", std::nullopt},
        {"+5", std::nullopt},
        {"1.5", std::nullopt},
        {"5s", std::nullopt},
        {"5, 6", std::nullopt},
        {"soon", std::nullopt},
        {"", std::nullopt},
        {"Tue, 24 Nov 2026 20:24:51 GMT", std::nullopt}, // now
        {"Tue, 24 Nov 2026 20:24:00 GMT", std::nullopt}, // past
        {"Thu, 01 Jan 1970 00:00:00 GMT", std::nullopt},
        {"Fri, 31 Dec 9999 23:59:59 GMT", std::nullopt},
        {"Tue, 24 Nov 1013 20:25:21 GMT", std::nullopt},
        {"Tue, 24 Nov", std::nullopt},
        {"2026-11-24T20:25:21Z", std::nullopt},
    };
    for (const auto& [value, wait] : cases) {
        INFO(value);
        CHECK(error(429, "", {{"retry-after", value}}).retry_after == wait);
        CHECK(error(503, "", {{"retry-after", value}}).retry_after == wait);
        CHECK(error(400, "", {{"retry-after", value}}).retry_after == std::nullopt);
    }
    // A part of a second is a whole one.
    CHECK(error_of(answer(429, "", {{"retry-after", "Tue, 24 Nov 2026 20:25:21 GMT"}}), {},
                   now + 500ms)
              .retry_after == 30s);
}

TEST_CASE("updates: what counts as carried out") {
    for (const auto* body :
         {R"({"success":true,"message":"Updated connection credentials."})", "", "{}",
          R"({"message":"stored"})", R"({"success":"true"})", R"({"error":null})"}) {
        INFO(body);
        CHECK(check_success(answer(200, body), {}, now).has_value());
        CHECK(check_success(answer(204, body), {}, now).has_value());
    }
    const auto failed = [](int status, std::string_view body, http::Headers headers = {}) {
        Update update;
        update.password = SecretBytes("correct-horse");
        auto result =
            check_success(answer(status, body, std::move(headers)), {.update = &update}, now);
        REQUIRE(result.has_error());
        CHECK(result.error().http_status == status);
        return result.error();
    };
    SUBCASE("success: false") {
        const auto e = failed(200, R"({"success":false,"message":"Nope"})");
        CHECK(e.kind == ErrorClass::refused);
        CHECK(e.sent == Sent::no);
        CHECK(e.message == "Omni returned 200, but no success: Nope");
        CHECK(failed(200, R"({"success":"false"})").message == "Omni returned 200, but no success");
        CHECK(failed(202, R"({"success":false,"error":"not correct-horse"})").message ==
              "Omni returned 202, but no success: " + std::string(withheld));
    }
    SUBCASE("what does not say that it was done is undecided") {
        for (const auto* body :
             {"null", "OK", "[]", "{broken", R"({"success":null})", R"({"error":"500"})",
              R"({"error":"500","message":"not stored"})", R"({"detail":"no","status":500})",
              R"({"errors":[{"message":"no"}]})"}) {
            INFO(body);
            const auto e = failed(200, body);
            CHECK(e.kind == ErrorClass::unavailable);
            CHECK(e.sent == Sent::maybe);
            CHECK(e.message.starts_with("Omni returned 200, which does not say that it was done"));
        }
        // Accepted for later, from a cache, a part: whatever the body says.
        for (const int status : {201, 202, 203, 205, 206, 226, 299})
            CHECK(failed(status, R"({"success":true})").sent == Sent::maybe);
        CHECK(failed(202, R"({"message":"queued"})").message ==
              "Omni returned 202, which does not say that it was done: queued");
    }
    SUBCASE("a portal's page is not Omni's answer") {
        for (const auto& e : {failed(200, "<html>Sign in</html>"),
                              failed(200, "Sign in", {{"content-type", "text/html"}})}) {
            CHECK(e.kind == ErrorClass::unavailable);
            CHECK(e.sent == Sent::maybe);
            CHECK(e.message == "Omni returned 200 with an HTML page instead of an API response; "
                               "check spec.baseURL");
        }
    }
    SUBCASE("other statuses are the errors they are") {
        CHECK(failed(400, message_body("Empty private key provided")).message ==
              "Omni returned 400: Empty private key provided");
        CHECK(failed(422, "").kind == ErrorClass::refused);
        CHECK(failed(429, "", {{"retry-after", "7"}}).retry_after == 7s);
        CHECK(failed(500, R"({"success":true})").kind == ErrorClass::unavailable);
    }
}

TEST_CASE("answer: what a certificate says is withheld when it repeats what was sent") {
    const SecretBytes token("omni_osk_top-secret-token");
    const Update update{.password = SecretBytes("hunter2-hunter2")};
    const Outgoing outgoing{.token = &token, .update = &update};
    const auto shown = [&outgoing](ErrorClass kind, const std::string& message) {
        const Error error = without_repeats(make_error(kind, message), outgoing);
        CHECK(error.kind == kind);
        return error.message;
    };
    const std::string harmless = "the certificate of a is not trusted: it is for b, not for a";
    CHECK(shown(ErrorClass::tls, harmless) == harmless);
    for (const char* name : {"osk_top-secret-token.example", "x.hunter2-hunter2"}) {
        const std::string message = shown(ErrorClass::tls, harmless + name);
        CHECK(message.find("withheld") != std::string::npos);
        CHECK_FALSE(shares_run(message, token.expose()));
        CHECK_FALSE(shares_run(message, update.password.expose()));
    }
    CHECK(shown(ErrorClass::unavailable, harmless) == harmless);
}
