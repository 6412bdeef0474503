// Bytes, text and digests.
#include "base/base64.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace oco;

TEST_CASE("SecretBytes grows, shrinks and moves like a buffer") {
    SecretBytes bytes("hello");
    bytes.append(" world");
    CHECK(bytes.expose() == "hello world");
    bytes.erase_front(6);
    CHECK(bytes.expose() == "world");
    SecretBytes moved = std::move(bytes);
    CHECK(moved.expose() == "world");
    CHECK(moved.clone().expose() == "world");
    moved.resize(7);
    CHECK(moved.expose() == std::string_view("world\0\0", 7));
    moved.clear();
    CHECK(moved.empty());
}

TEST_CASE("base64 both ways") {
    for (const std::string& text :
         {std::string(), std::string("a"), std::string("ab"), std::string("abc"),
          std::string("abcd"), std::string("\x01\xff\x00 zz", 6), std::string(100'000, '\xfb')}) {
        const auto decoded = base64::decode(base64::encode(text));
        REQUIRE(decoded.has_value());
        CHECK(decoded->expose() == text);
    }
    CHECK(base64::encode("") == "");
    CHECK(base64::encode("abcd") == "YWJjZA==");
    CHECK(base64::encode("abcde") == "YWJjZGU=");
    CHECK(base64::encode("abcdef") == "YWJjZGVm");
    CHECK(base64::encode("\xfb\xff\xbf") == "+/+/");
}

TEST_CASE("base64: white space is skipped, and unused bits do not count") {
    struct Case {
        const char* text;
        std::string_view bytes;
    };

    for (const Case& c : {Case{"YWJj\nZA==\n", "abcd"},
                          {" Y\tW\rJ\njZA = = ", "abcd"},
                          {" \t\r\n", ""},
                          {"YWI=", "ab"},
                          {"YWJ=", "ab"},
                          {"YQ==", "a"},
                          {"YR==", "a"},
                          {"Yf==", "a"},
                          {"AAA=", std::string_view("\0\0", 2)}}) {
        CAPTURE(c.text);
        const auto decoded = base64::decode(c.text);
        REQUIRE(decoded.has_value());
        CHECK(decoded->expose() == c.bytes);
    }
}

TEST_CASE("base64: what is none") {
    for (const std::string_view bad :
         {"a",          "ab",      "abc",        "abcde",    "ab!d",
          "ab=c",       "a=bc",    "=abc",       "=",        "==",
          "===",        "====",    "a===",       "abcd=",    "abcd==",
          "abc==",      "abcd===", "abcd====",   "ab==ab==", "abc=abcd",
          "ab==\nabcd", "abc-",    "abcd-",      "abcd----", "----",
          "-abc",       "ab_d",    "ab-d",       "ab.d",     "ab\vcd",
          "abcd\f",     "abcd\v",  "ab\xc2\xa0", "abc\xff",  "\xff\xff\xff\xff"}) {
        CAPTURE(bad);
        const auto decoded = base64::decode(bad);
        REQUIRE(decoded.has_error());
        CHECK(decoded.error().kind == ErrorClass::invalid);
        CHECK(decoded.error().message.starts_with("not base64"));
    }
    CHECK(base64::decode(std::string_view("abcd\0", 5)).has_error());
    CHECK(base64::decode(std::string_view("ab\0d", 4)).has_error());
    CHECK(base64::decode(std::string_view("abcd\0\0\0\0", 8)).has_error());
    // In each place of a text that spans several of a decoder's blocks.
    const std::string good = base64::encode(std::string(96, 'x'));
    REQUIRE(good.size() == 128);
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const char c : {'-', '_', '!', '\0', '\x80'}) {
            std::string text = good;
            text[i] = c;
            CHECK(base64::decode(text).has_error());
        }
        std::string padded = good;
        padded[i] = '=';
        CHECK(base64::decode(padded).has_error() == (i != good.size() - 1));
    }
}

TEST_CASE("a digest depends on the key, the parts and where they part") {
    const SecretBytes key("k1");
    const auto digest = keyed_digest(key, {"ab", "c"});
    CHECK(digest.size() == 64);
    CHECK(digest == keyed_digest(key, {"ab", "c"}));
    CHECK(digest != keyed_digest(key, {"a", "bc"}));
    CHECK(digest != keyed_digest(key, {"abc"}));
    CHECK(digest != keyed_digest(SecretBytes("k2"), {"ab", "c"}));
    // RFC 4231, test case 2, except for our length prefix: the plain fingerprint is SHA-256 itself.
    CHECK(fingerprint("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("printable text is short, one line, and whole characters") {
    CHECK(printable("a\n\tb\x1b[31m") == "a b [31m");
    CHECK(printable("caf\xc3\xa9") == "caf\xc3\xa9");
    CHECK(printable("\xff\xfe") == "??");
    CHECK(printable("\xc0\x9b[31m") == "??[31m"); // an overlong escape
    CHECK(printable("\xed\xa0\x80") == "???");    // a surrogate
    CHECK(printable("abcdefgh", 5) == "ab...");
    CHECK(printable("\xc3\xa9\xc3\xa9\xc3\xa9", 5) == "\xc3\xa9...");
}

TEST_CASE("a shared run of eight bytes is found") {
    CHECK(shares_run("the password is hunter22 ok", "xxhunter22"));
    CHECK_FALSE(shares_run("the password is wrong", "hunter22hunter"));
    CHECK(shares_run("got abc", "abc"));
    CHECK_FALSE(shares_run("got ab", "abc"));
}
