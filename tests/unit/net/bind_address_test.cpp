#include "net/bind_address.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace oco;

TEST_CASE("bind address: what is accepted") {
    struct Case {
        const char* text;
        const char* host; // empty: all
        int port;
    };

    for (const Case& c :
         {Case{":8080", "", 8080}, Case{":0", "", 0}, Case{"127.0.0.1:8081", "127.0.0.1", 8081},
          Case{"0.0.0.0:65535", "0.0.0.0", 65535}, Case{"[::1]:8080", "::1", 8080},
          Case{"[::]:8080", "::", 8080}, Case{"localhost:1", "127.0.0.1", 1}}) {
        CAPTURE(c.text);
        const auto address = net::parse_bind_address(c.text);
        REQUIRE(address.has_value());
        CHECK((address->host ? address->host->to_string() : "") == c.host);
        CHECK(address->port == c.port);
    }
}

TEST_CASE("bind address: what is refused, in one line that names it") {
    for (const char* text : {"",          "8080",          "0",
                             ":",         ":http",         ":65536",
                             ":-1",       ":+1",           ": 80",
                             "127.0.0.1", "::1:8080",      "[127.0.0.1]:8080",
                             "[::1]8080", "[]:8080",       "example.com:8080",
                             "127.1:80",  "010.0.0.1:80",  "[::1:80",
                             "::1]:80",   " 127.0.0.1:80", "127.0.0.1:80\n80"}) {
        CAPTURE(text);
        const auto address = net::parse_bind_address(text);
        REQUIRE(address.has_error());
        CHECK(address.error().kind == ErrorClass::invalid);
        CHECK(address.error().message.find('\n') == std::string::npos);
        CHECK(address.error().message.starts_with("bind address \""));
    }
    CHECK(net::parse_bind_address("8080").error().message ==
          "bind address \"8080\": it has no port; use, for example, \":8080\", \"127.0.0.1:8080\" "
          "or \"[::1]:8080\"");
}
