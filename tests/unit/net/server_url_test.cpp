#include "net/server_url.hpp"

#include <doctest/doctest.h>

using namespace oco::net;
using namespace std::string_view_literals;

TEST_CASE("server URL: taken apart") {
    struct Case {
        std::string_view url;
        Scheme scheme;
        std::string_view host;
        int port;
        std::string_view path_prefix;
    };

    const Case cases[] = {
        {"https://kube.example", Scheme::https, "kube.example", 443, ""},
        {"https://kube.example/", Scheme::https, "kube.example", 443, ""},
        {"HTTPS://Kube.Example:6443", Scheme::https, "kube.example", 6443, ""},
        {"http://localhost", Scheme::http, "localhost", 80, ""},
        {"http://127.0.0.1:8001", Scheme::http, "127.0.0.1", 8001, ""},
        {"https://[::1]:6443", Scheme::https, "::1", 6443, ""},
        {"https://[FD00::A]", Scheme::https, "fd00::a", 443, ""},
        {"https://h/k8s/clusters/x", Scheme::https, "h", 443, "/k8s/clusters/x"},
        {"https://h:1/a%20b//", Scheme::https, "h", 1, "/a%20b"},
        {"https://h:65535/a?b=c#d", Scheme::https, "h", 65535, "/a"},
        {"https://h?b/c", Scheme::https, "h", 443, ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.url);
        const auto url = parse_server_url(c.url);
        REQUIRE_MESSAGE(url.has_value(), url.error().message);
        CHECK(url->scheme == c.scheme);
        CHECK(url->host == c.host);
        CHECK(url->port == c.port);
        CHECK(url->path_prefix == c.path_prefix);
    }
}

TEST_CASE("server URL: refused") {
    for (const std::string_view url : {""sv,
                                       "kube.example"sv,
                                       "kube.example:6443"sv,
                                       "ftp://h"sv,
                                       "https:h"sv,
                                       "https://"sv,
                                       "https:///a"sv,
                                       "https://:443"sv,
                                       "https://h:"sv,
                                       "https://h:0"sv,
                                       "https://h:65536"sv,
                                       "https://h:-1"sv,
                                       "https://h:+1"sv,
                                       "https://h:4x"sv,
                                       "https://h:1:2"sv,
                                       "https://::1"sv,
                                       "https://[::1"sv,
                                       "https://[::1]x"sv,
                                       "https://[h]"sv,
                                       "https://[]"sv,
                                       "https://[fe80::1%25eth0]"sv,
                                       "https://h h"sv,
                                       "https://h\r\nX: y"sv,
                                       "https://h\0x"sv,
                                       "https://b\xC3\xBC.example"sv,
                                       "https://h/a b"sv,
                                       "https://h/a\r\nX: y"sv,
                                       "https://h/\xC3\xBC"sv,
                                       "https://user@h"sv,
                                       "https://user:s3cr3t@h/x"sv,
                                       " https://h"sv}) {
        CAPTURE(url);
        const auto parsed = parse_server_url(url);
        REQUIRE(!parsed.has_value());
        CHECK(parsed.error().kind == oco::ErrorClass::invalid);
        CHECK(parsed.error().message.find("s3cr3t") == std::string::npos);
    }
    CHECK(!parse_server_url("https://" + std::string(254, 'a')).has_value());
}
