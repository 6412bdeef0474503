// Base URLs, and the hosts that may be sent to.
#include "base/text.hpp"
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

namespace {

std::string refusal(std::string_view patterns, std::string_view url,
                    PlainHttp plain_http = PlainHttp::refused) {
    const auto hosts = AllowedHosts::parse(patterns);
    REQUIRE(hosts.has_value());
    const auto admitted = hosts->admit(url, plain_http);
    REQUIRE(admitted.has_error());
    CHECK(admitted.error().kind == oco::ErrorClass::invalid);
    CHECK(admitted.error().message.size() <= oco::max_message_bytes);
    CHECK(oco::printable(admitted.error().message) == admitted.error().message);
    return admitted.error().message;
}

} // namespace

TEST_CASE("http is refused for what it is, whatever the list of hosts says") {
    const std::string use_https = "spec.baseURL begins with http://, and keys would be sent "
                                  "unencrypted: use https:// (for tests, "
                                  "the operator's flag --insecure-allow-http allows it)";
    for (const char* url : {"http://acme.omniapp.co", "http://acme.omniapp.co:80",
                            "http://acme.omniapp.co:443", "http://evil.example"})
        for (const char* patterns : {"*.omniapp.co", "acme.omniapp.co:80", ""})
            CHECK(refusal(patterns, url) == use_https);
    const auto hosts = AllowedHosts::parse("acme.omniapp.co:80");
    REQUIRE(hosts.has_value());
    CHECK(hosts->admit("http://acme.omniapp.co", PlainHttp::allowed).has_value());
    CHECK(hosts->admit("https://acme.omniapp.co:80", PlainHttp::refused).has_value());
    CHECK(refusal("*.omniapp.co", "http://acme.omniapp.co", PlainHttp::allowed) ==
          "spec.baseURL: port 80 of host acme.omniapp.co is not allowed; the operator allows "
          "*.omniapp.co (its flag --allowed-hosts): correct the URL, or have acme.omniapp.co:80 "
          "added to the flag");
}

TEST_CASE("a host that is not allowed is told with those that are") {
    CHECK(refusal("*.omniapp.co, b.example:8443", "https://evil.example") ==
          "spec.baseURL: host evil.example is not allowed; the operator allows *.omniapp.co, "
          "b.example:8443 (its flag --allowed-hosts): correct the URL, or have evil.example added "
          "to the flag");
    CHECK(refusal("b.example:8443", "https://b.example")
              .starts_with("spec.baseURL: port 443 of host b.example is not allowed; the operator "
                           "allows b.example:8443 "));
    CHECK(refusal("b.example", "https://b.example:8443").find("have b.example:8443 added") !=
          std::string::npos);
    CHECK(refusal(" , ", "https://a.example").find("allows no host at all") != std::string::npos);
    CHECK(refusal("a.example", "nonsense").starts_with("spec.baseURL must be a URL"));
    std::string many;
    for (int i = 10; i < 99; ++i)
        many += "host" + std::to_string(i) + ".example,";
    const std::string message = refusal(many, "https://" + std::string(250, 'h'));
    CHECK(message.find("host10.example, ") != std::string::npos);
    CHECK(message.find(" more (its flag --allowed-hosts)") != std::string::npos);
}
