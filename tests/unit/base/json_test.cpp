#include "base/json.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace oco;
using namespace std::string_literals;

TEST_CASE("JSON from outside is bounded") {
    CHECK(json::parse(R"({"a":{"b":"c"}})").has_value());
    CHECK(json::parse(std::string(60, '[') + std::string(60, ']')).has_value());
    CHECK(json::parse(std::string(100000, '[')).has_error());
    CHECK(json::parse(std::string(65, '[') + std::string(65, ']')).has_error());
    CHECK(json::parse(std::string_view("{}\0{", 4)).has_error());
    CHECK(json::parse("{\"a\":\"\xff\"}").has_error());
    CHECK(json::parse("").has_error());
}

TEST_CASE("JSON strings: only what must be escaped is") {
    struct Case {
        std::string text, json;
    };

    const std::vector<Case> cases = {
        {"", R"("")"},
        {"plain", R"("plain")"},
        {"say \"hi\"", R"("say \"hi\"")"},
        {"C:\\dir\\", R"("C:\\dir\\")"},
        {"a/b", R"("a/b")"},
        {"line\nline\r\n", R"("line\nline\r\n")"},
        {"\t\b\f", R"("\t\b\f")"},
        {"\x01\x1f", R"("\u0001\u001F")"},
        {"\0x"s, R"("\u0000x")"},
        {"\x0b\x1b[31m", R"("\u000B\u001B[31m")"},
        {"\x7f", "\"\x7f\""},
        {"p\xc3\xa4ssw\xc3\xb6rd", "\"p\xc3\xa4ssw\xc3\xb6rd\""},
        {"\xe2\x80\xa8", "\"\xe2\x80\xa8\""},         // a line separator: legal in JSON
        {"\xf0\x9f\x94\x91", "\"\xf0\x9f\x94\x91\""}, // beyond the BMP: no surrogates needed
        {"</script>", R"("</script>")"},
        {"$(x)`%n'", R"("$(x)`%n'")"},
    };
    for (const auto& [text, json] : cases) {
        INFO(json);
        CHECK(json::Writer().value(text).str() == json);
        const auto parsed = json::parse(json);
        REQUIRE(parsed.has_value());
        CHECK(json::text_of(*parsed) == text);
    }
}
