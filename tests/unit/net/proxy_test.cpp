#include "base/base64.hpp"
#include "net/proxy.hpp"
#include "net/tunnel.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace oco;
using namespace oco::net;

namespace {

using Variables = std::map<std::string, std::string>;

Result<ProxyPolicy> policy(const Variables& variables) {
    return ProxyPolicy::from_environment(
        [&variables](const std::string& name) -> std::optional<std::string> {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional(found->second);
        });
}

bool is_proxied(const std::string& no_proxy, const std::string& host, std::uint16_t port = 443) {
    const auto made = policy({{"HTTPS_PROXY", "http://p:3128"}, {"NO_PROXY", no_proxy}});
    REQUIRE(made.has_value());
    return made->proxy_for(host, port) != nullptr;
}

std::string credentials_of(const std::string& url) {
    const auto proxy = parse_proxy_url(url);
    REQUIRE(proxy.has_value());
    const auto plain = base64::decode((*proxy)->basic_credentials.expose());
    REQUIRE(plain.has_value());
    return std::string(plain->expose());
}

} // namespace

TEST_CASE("proxy URL: host, port and credentials") {
    struct Case {
        const char* url;
        const char* authority;
    };

    for (const Case& c : {Case{"http://proxy.example:3128", "proxy.example:3128"},
                          {"http://proxy.example", "proxy.example:80"},
                          {"HTTP://Proxy.Example/", "proxy.example:80"},
                          {"http://10.0.0.1:8080/", "10.0.0.1:8080"},
                          {"http://[fd00::1]:8080", "[fd00::1]:8080"},
                          {"http://u:p@h:1", "h:1"}}) {
        CAPTURE(c.url);
        const auto proxy = parse_proxy_url(c.url);
        REQUIRE(proxy.has_value());
        CHECK((*proxy)->authority() == c.authority);
    }
    CHECK((*parse_proxy_url("http://h"))->basic_credentials.empty());
    CHECK(credentials_of("http://me:s3cr3t@h") == "me:s3cr3t");
    CHECK(credentials_of("http://me@h") == "me:");
    CHECK(credentials_of("http://me:p%40%2Fq%3a@h") == "me:p@/q:");
    CHECK(credentials_of("http://me:a@b@h") == "me:a@b");
}

TEST_CASE("proxy URL: what is refused says what works, and never quotes it") {
    const std::string shape = "must be http://[user:password@]host[:port]";
    const std::string alternative = ", which is not supported: use an HTTP proxy, http://host:port "
                                    "(traffic through it is still encrypted)";
    const std::map<std::string, std::string> cases = {
        {"", shape},
        {"s3cr3t", shape},
        {"s3cr3t:3128", shape},
        {"ftp://s3cr3t", shape},
        {"https://u:s3cr3t@h", "has the scheme https" + alternative},
        {"socks5://u:s3cr3t@h", "has the scheme socks5" + alternative},
        {"http://", shape},
        {"http://u:s3cr3t@", shape},
        {"http://s3cr3t s3cr3t", shape},
        {"http://[s3cr3t]", shape},
        {"http://[fe80::1%1]", shape},
        {"http://[10.0.0.1]", shape},
        {"http://fd00::1", "has no valid port after its host: use 1 to 65535"},
        {"http://u:s3cr3t@h:0", "has no valid port after its host: use 1 to 65535"},
        {"http://u:s3cr3t@h:s3cr3t", "has no valid port after its host: use 1 to 65535"},
        {"http://u:1/s3cr3t@h", shape + ", with nothing after it"},
        {"http://h/s3cr3t", shape + ", with nothing after it"},
        {"http://h?s3cr3t", shape + ", with nothing after it"},
        {"http://u:s3cr3t%@h",
         "has a '%' in its user name or password that must be written as %25"},
        {"http://u:s3cr3t%2@h",
         "has a '%' in its user name or password that must be written as %25"},
        {"http://u%zz:s3cr3t@h",
         "has a '%' in its user name or password that must be written as %25"},
    };
    for (const auto& [url, message] : cases) {
        CAPTURE(url);
        const auto refused = parse_proxy_url(url);
        REQUIRE(refused.has_error());
        CHECK(refused.error().message == message);
        CHECK(refused.error().message.find("s3cr3t") == std::string::npos);
    }
}

TEST_CASE("proxy policy: which variables count") {
    CHECK(policy({})->proxy_for("h", 443) == nullptr);
    CHECK(policy({{"HTTP_PROXY", "http://p"}, {"ALL_PROXY", "http://p"}})->proxy_for("h", 443) ==
          nullptr);
    CHECK(policy({{"https_proxy", "http://p:1"}})->proxy_for("h", 443)->authority() == "p:1");
    // As in Go: upper case wins, an empty one does not count, and the scheme may be left out.
    const Variables both{{"HTTPS_PROXY", "http://upper"}, {"https_proxy", "http://lower"}};
    CHECK(policy(both)->proxy_for("h", 443)->host == "upper");
    const Variables empty{{"HTTPS_PROXY", ""}, {"https_proxy", "lower:3128"}};
    CHECK(policy(empty)->proxy_for("h", 443)->authority() == "lower:3128");
    const Variables except{{"https_proxy", "p"}, {"NO_PROXY", ""}, {"no_proxy", "h"}};
    CHECK(policy(except)->proxy_for("h", 443) == nullptr);
    CHECK(policy(except)->proxy_for("i", 443) != nullptr);

    const auto refused = policy({{"https_proxy", "http://u:s3cr3t@h:x"}});
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorClass::invalid);
    CHECK(refused.error().message ==
          "https_proxy has no valid port after its host: use 1 to 65535");
}

TEST_CASE("proxy policy: loopback is never proxied") {
    for (const char* host : {"localhost", "LOCALHOST", "127.0.0.1", "127.9.8.7", "::1",
                             "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"})
        CHECK_MESSAGE(!is_proxied("", host), host);
    for (const char* host : {"localhost.example", "128.0.0.1", "::2", "omni.co"})
        CHECK_MESSAGE(is_proxied("", host), host);
}

TEST_CASE("proxy policy: NO_PROXY as Go reads it") {
    struct Case {
        const char* no_proxy;
        const char* host;
        bool proxied;
        std::uint16_t port = 443;
    };

    const Case cases[] = {
        {"*", "omni.co", false},
        {"other.example, * ", "10.0.0.1", false},
        {"omni.co", "omni.co", false},
        {"omni.co", "OMNI.CO", false},
        {"Omni.Co", "a.b.omni.co", false},
        {"omni.co", "myomni.co", true},
        {"omni.co", "omni.co.example", true},
        {".omni.co", "acme.omni.co", false},
        {".omni.co", "omni.co", true},
        {"*.omni.co", "acme.omni.co", false},
        {"*.omni.co", "omni.co", true},
        {"omni.co:443", "omni.co", false},
        {"omni.co:443", "omni.co", true, 8443},
        {".omni.co:8443", "acme.omni.co", false, 8443},
        {"a.example,,  omni.co ,b.example", "omni.co", false},
        {"10.0.0.1", "10.0.0.1", false},
        {"10.0.0.1", "10.0.0.10", true},
        {"10.0.0.1:6443", "10.0.0.1", false, 6443},
        {"10.0.0.1:6443", "10.0.0.1", true},
        {"10.0.0.1", "::ffff:10.0.0.1", false},
        {"10.96.0.0/12", "10.96.0.1", false},
        {"10.96.0.0/12", "10.111.255.255", false},
        {"10.96.0.0/12", "10.112.0.0", true},
        {"10.96.0.0/12", "a.10.96.0.0", true},
        {"0.0.0.0/0", "8.8.8.8", false},
        {"0.0.0.0/0", "fd00::1", true},
        {"10.0.0.1/32", "10.0.0.2", true},
        {"10.0.0.0/33", "10.0.0.0", true},
        {"10.0.0.0/x", "10.0.0.0", true},
        {"10.0.0.0/", "10.0.0.0", true},
        {"10.0.0.0/+8", "10.0.0.0", true},
        {"10.0.0.0/-8", "10.0.0.0", true},
        {"10.0.0.0/8x", "10.0.0.0", true},
        {"10.0.0.0/8/8", "10.0.0.0", true},
        {"10.0.0.0/4294967304", "10.0.0.0", true}, // 8, had it 32 bits
        {"10.0.0.0/08", "10.1.2.3", false},
        {"10.9.9.9/8", "10.1.2.3", false}, // the host's bits do not count
        {"10.0.0/8", "10.0.0.0", true},
        {"010.0.0.0/8", "10.0.0.0", true},
        {"0x0a.0.0.0/8", "10.0.0.0", true},
        {"/8", "10.0.0.0", true},
        {"omni.co/8", "omni.co", true},
        {"fd00::/8", "fd12::1", false},
        {"fd00::/8", "fe80::1", true},
        {"fd00::/129", "fd00::", true},
        {"::/0", "fd00::1", false},
        {"::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
        {"fd00::/9", "fd7f::1", false},
        {"fd00::/9", "fd80::1", true},
        {"::ffff:10.0.0.0/104", "10.1.2.3", false},
        {"::ffff:10.0.0.0/104", "11.1.2.3", true},
        {"fe80::1%1", "fe80::1", true},
        {"[fe80::1%1]", "fe80::1", true},
        {"::ffff:10.0.0.1", "10.0.0.1", false},
        {"fd00::1", "fd00:0::1", false},
        {"[fd00::1]", "fd00::1", false},
        {"[fd00::1]:6443", "fd00::1", false, 6443},
        {"[fd00::1]:6443", "fd00::1", true},
        {"1", "10.0.0.1", true}, // a name's suffix is no address's
        {".1", "10.0.0.1", true},
        {"[", "omni.co", true},
        {"[]", "omni.co", true},
        {":443", "omni.co", true},
        {"omni.co:x", "omni.co", true},
        {"*.", "omni.co", true},
    };
    for (const Case& c : cases) {
        CAPTURE(c.no_proxy);
        CAPTURE(c.host);
        CHECK(is_proxied(c.no_proxy, c.host, c.port) == c.proxied);
    }
}

TEST_CASE("tunnel: the request") {
    Proxy proxy{.host = "p", .port = 3128, .basic_credentials = {}};
    CHECK(connect_request(proxy, "omni.co:443").expose() ==
          "CONNECT omni.co:443 HTTP/1.1\r\nHost: omni.co:443\r\n\r\n");
    proxy.basic_credentials = SecretBytes("bWU6cw==");
    CHECK(connect_request(proxy, "[::1]:443").expose() ==
          "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"
          "Proxy-Authorization: Basic bWU6cw==\r\n\r\n");
}

TEST_CASE("tunnel: the proxy's answer") {
    const Proxy proxy{.host = "p", .port = 3128, .basic_credentials = {}};
    const auto said = [&proxy](std::string_view answer) {
        TunnelReply reply(proxy);
        // In single bytes, as networks may.
        Result<bool> open = false;
        for (std::size_t i = 0; i < answer.size() && open && !*open; ++i)
            open = reply.feed(answer.substr(i, 1));
        return open ? std::string(*open ? "open" : "more") : open.error().message;
    };
    CHECK(said("HTTP/1.1 200 Connection established\r\n\r\n") == "open");
    CHECK(said("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n") == "open");
    CHECK(said("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") == "open");
    CHECK(said("HTTP/1.1 200 OK\r\n") == "more");
    CHECK(said("HTTP/1.1 502 s3cr3t\r\nX: s3cr3t\r\n\r\n") ==
          "the proxy p:3128 refused the tunnel with status 502");
    CHECK(said("HTTP/1.1 301 Moved\r\nLocation: s3cr3t\r\n\r\n") ==
          "the proxy p:3128 refused the tunnel with status 301");
    CHECK(said("HTTP/1.1 407 s3cr3t\r\n\r\n") ==
          "the proxy p:3128 requires a user name and password in its URL (407)");
    for (const char* garbage : {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 2OO OK\r\n\r\n",
                                "HTTP/1.1 20\r\n\r\n", "HTTP/2 200\r\n\r\n", "\r\n\r\n"})
        CHECK(said(garbage) == "the proxy p:3128 does not respond in HTTP/1.1");
    CHECK(said("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x')) ==
          "the proxy p:3128 does not respond in HTTP/1.1");

    TunnelReply eager(proxy);
    CHECK(eager.feed("HTTP/1.1 200 OK\r\n\r\nhello").error().message ==
          "the proxy p:3128 sent more than its response");
    CHECK(eager.closed().message == "the proxy p:3128 closed the connection without a response");
    const Proxy known{.host = "p", .port = 3128, .basic_credentials = SecretBytes("bWU6cw==")};
    TunnelReply refused(known);
    CHECK(refused.feed("HTTP/1.1 407 No\r\n\r\n").error().message ==
          "the proxy p:3128 rejected the credentials in its URL (407)");
}
