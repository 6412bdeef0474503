// Base URLs, and the hosts that may be sent to.
#include "reconcile/cluster/allowed_hosts.hpp"

#include <doctest/doctest.h>

using namespace oco::reconcile;

TEST_CASE("a base URL may end in / or /api, and names its target by host and port") {
    struct Row {
        const char* text;
        const char* label; // empty: refused
    };

    const Row rows[] = {
        {"https://acme.omniapp.co", "acme.omniapp.co"},
        {"https://acme.omniapp.co/", "acme.omniapp.co"},
        {"https://ACME.omniapp.co/api", "acme.omniapp.co"},
        {"https://acme.omniapp.co/api/", "acme.omniapp.co"},
        {"https://acme.omniapp.co:443", "acme.omniapp.co"},
        {"https://127.0.0.1:8443", "127.0.0.1:8443"},
        {"https://acme.omniapp.co/x", ""},
        {"https://user@acme.omniapp.co", ""},
        {"acme.omniapp.co", ""},
        {"", ""},
    };
    for (const auto& [text, label] : rows) {
        CAPTURE(text);
        const auto url = parse_base_url(text);
        CHECK((url ? url->label() : std::string()) == label);
    }
}

TEST_CASE("a pattern allows exactly its hosts") {
    struct Row {
        const char* patterns;
        const char* url;
        bool allowed;
    };

    const Row rows[] = {
        {"*.omniapp.co", "https://acme.omniapp.co", true},
        {"*.omniapp.co", "https://a.b.omniapp.co", false},
        {"*.omniapp.co", "https://omniapp.co", false},
        {"*.omniapp.co", "https://evilomniapp.co", false},
        {"*.omniapp.co", "https://acme.omniapp.co.evil.com", false},
        {"*.omniapp.co", "https://acme.omniapp.co:8443", false},
        {"acme.omniapp.co", "https://acme.omniapp.co", true},
        {"acme.omniapp.co", "https://other.omniapp.co", false},
        {"127.0.0.1:8443", "https://127.0.0.1:8443", true},
        {"127.0.0.1", "https://127.0.0.1:8443", false},
        {" a.example , *.b.example:99 ", "https://x.b.example:99", true},
        {"", "https://acme.omniapp.co", false},
    };
    for (const auto& [patterns, url, allowed] : rows) {
        CAPTURE(patterns);
        CAPTURE(url);
        const auto hosts = AllowedHosts::parse(patterns);
        REQUIRE(hosts.has_value());
        CHECK(hosts->allows(*parse_base_url(url)) == allowed);
    }
    for (const auto* bad : {"https://a", "a/b", "*", "a.*.b", "a:0:1", "user@host"}) {
        CAPTURE(bad);
        CHECK(AllowedHosts::parse(bad).has_error());
    }
}
