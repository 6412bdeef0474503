// What is refused, and with which words. Each message is one line, and quotes no credential.
#include "base/text.hpp"
#include "unit/kube/config/fake_environment.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace oco;
using namespace oco::kube;
using namespace oco::test;

namespace {

std::string refusal(const FakeEnvironment& environment, const ConfigFlags& flags) {
    const auto config = environment.load(flags);
    REQUIRE(!config.has_value());
    const Error& error = config.error();
    CHECK(error.kind == ErrorClass::invalid);
    CHECK(printable(error.message, 4096) == error.message);
    CHECK(error.message.find(marker) == std::string::npos);
    return error.message;
}

std::string refusal_of(const std::string& text, const ConfigFlags& flags = {"/k/config", ""},
                       std::map<std::string, std::string> files = {}) {
    files["/k/config"] = text;
    return refusal({.files = std::move(files), .unreadable = "/k/locked"}, flags);
}

struct Refused {
    std::string text;
    std::string message; // after "kubeconfig /k/config: "
};

void check_all(const std::vector<Refused>& cases) {
    for (const Refused& c : cases) {
        CAPTURE(c.text);
        CHECK(refusal_of(c.text) == "kubeconfig /k/config: " + c.message);
    }
}

std::string in_base64(const std::string& pem) {
    return base64::encode(pem);
}

} // namespace

TEST_CASE("config refused: nothing found names every place and the flag") {
    CHECK(refusal({}, {}) ==
          "no Kubernetes configuration found: in-cluster: KUBERNETES_SERVICE_HOST is not set; "
          "$KUBECONFIG is not set; there is no ~/.kube/config; name a file with --kubeconfig");
    FakeEnvironment environment = pod();
    environment.files.clear();
    environment.variables["KUBECONFIG"] = "/a::/b";
    environment.variables["HOME"] = "/home/me";
    environment.files["/home/me/.kube/config"] = kubeconfig(https_server, "");
    CHECK(refusal(environment, {}) ==
          "no Kubernetes configuration found: in-cluster: there is no " + account +
              "token; $KUBECONFIG (/a::/b) names no file that exists, and while it is set "
              "~/.kube/config is not read; name a file with --kubeconfig");
    CHECK(refusal({}, {.context = "prod"}).find("--context names a context of a kubeconfig") !=
          std::string::npos);
}

TEST_CASE("config refused: in-cluster") {
    struct Case {
        const char* name;
        const char* variable;
        const char* value;
        std::string path;
        std::string content;
        std::string message;
    };

    const Case cases[] = {
        {"host", "KUBERNETES_SERVICE_HOST", "a b", "", "",
         "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be a host and a port: unset "
         "them or name a --kubeconfig"},
        {"port", "KUBERNETES_SERVICE_PORT", "tcp://10.0.0.1:443", "", "",
         "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be a host and a port: unset "
         "them or name a --kubeconfig"},
        {"empty token", "", "", "token", "\n",
         "the service-account token: " + account + "token: is empty: it must hold a bearer token"},
        {"broken token", "", "", "token", "s3cr3t\r\nX: y",
         "the service-account token: " + account +
             "token: holds characters that no bearer token has: name the right file"},
        {"CA", "", "", "ca.crt", "s3cr3t",
         "the cluster's CA holds no PEM certificate (BEGIN CERTIFICATE)"},
        {"namespace", "", "", "namespace", "A/b",
         "the pod's namespace (POD_NAMESPACE, or the service account's file) is no namespace name"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.name);
        FakeEnvironment environment = pod();
        if (*c.variable != '\0')
            environment.variables[c.variable] = c.value;
        if (!c.path.empty())
            environment.files[account + c.path] = c.content;
        CHECK(refusal(environment, {}) == "in-cluster: " + c.message);
    }
    FakeEnvironment environment = pod();
    environment.files.erase(account + "ca.crt");
    CHECK(refusal(environment, {}) ==
          "in-cluster: the cluster's CA: " + account + "ca.crt: there is no such file");
    environment.unreadable = account + "token";
    CHECK(refusal(environment, {}) == "in-cluster: the service-account token: " + account +
                                          "token: cannot be read: Permission denied");
}

TEST_CASE("config refused: files that are no kubeconfig") {
    CHECK(refusal(pod(), {.kubeconfig = "/absent"}) ==
          "kubeconfig /absent: there is no such file: correct --kubeconfig");
    CHECK(refusal({.variables = {{"KUBECONFIG", "/l"}}, .unreadable = "/l"}, {}) ==
          "kubeconfig /l: cannot be read: Permission denied; name a file that the operator's user "
          "may "
          "read, with --kubeconfig or in $KUBECONFIG");
    const std::string is_empty =
        "is empty: write one (kubectl config view --raw --minify), or name "
        "another with --kubeconfig";
    check_all({
        {"", is_empty},
        {" \n\t\n", is_empty},
        {"# s3cr3t", "sets no current-context: choose one with --context; it defines no contexts"},
        {"null", "sets no current-context: choose one with --context; it defines no contexts"},
        {"s3cr3t", "is not a kubeconfig: it must hold an object (line 1)"},
        {"[s3cr3t]", "is not a kubeconfig: it must hold an object (line 1)"},
        {"kind: Pod", "is not a kubeconfig: its kind must be Config and its apiVersion v1"},
        {"apiVersion: v2", "is not a kubeconfig: its kind must be Config and its apiVersion v1"},
        {"a: b\n  s3cr3t: [",
         "is neither valid YAML nor JSON, line 2, column 9: illegal map value"},
        {"token: *s3cr3t",
         "is neither valid YAML nor JSON, line 1, column 8: the referenced anchor is not defined"},
        {"a: \"\\s3cr3t\"",
         "is neither valid YAML nor JSON, line 1, column 7: unknown escape character"},
        {std::string(max_config_file_bytes + 1, ' '), "is larger than 4 MiB: name the right file"},
        {"clusters: s3cr3t", "clusters must be a list (line 1)"},
        {"users: {u: {token: s3cr3t}}", "users must be a list (line 1)"},
        {"a: 1\ncontexts:\n- s3cr3t",
         "contexts must hold objects with a name and a context (line 3)"},
        {"users: [{name: u, user: s3cr3t}]", "user \"u\": must be an object (line 1)"},
        {"users: [{name: u, user: {token: [s3cr3t]}}]",
         "user \"u\": token must be a string (line 1)"},
        {"users:\n- {name: u}\n- {name: u, user: {token: s3cr3t}}",
         "user \"u\": is defined twice: remove one (line 3)"},
        {"clusters: [{name: c, cluster: {insecure-skip-tls-verify: s3cr3t}}]",
         "cluster \"c\": insecure-skip-tls-verify must be true or false (line 1)"},
    });
}

TEST_CASE("config refused: contexts") {
    const std::string some = "contexts: [{name: b}, {name: a, context: {cluster: c}},"
                             " {name: d, context: {cluster: e, user: nobody}},"
                             " {name: f, context: {cluster: e, namespace: Not/One}}]\n"
                             "clusters: [{name: e, cluster: {" +
                             https_server + "}}]\n";
    check_all({
        {some,
         "sets no current-context: choose one with --context; it has \"a\", \"b\", \"d\", \"f\""},
        {some + "current-context: x\n",
         "has no context \"x\", which current-context names; it has \"a\", \"b\", \"d\", \"f\""},
        {some + "current-context: b\n", "context \"b\" names no cluster: set one"},
        {some + "current-context: a\n", "context \"a\" names cluster \"c\", which is not defined: "
                                        "define it or correct the context"},
        {some + "current-context: d\n", "context \"d\" names user \"nobody\", which is not "
                                        "defined: define it or correct the context"},
        {some + "current-context: f\n",
         "context \"f\" has a namespace that is no namespace name: correct it"},
    });
    CHECK(refusal_of(some, {"/k/config", "pr\x1Bod"}) ==
          "kubeconfig /k/config: has no context \"pr od\", which --context names; "
          "it has \"a\", \"b\", \"d\", \"f\"");
    std::string many = "contexts:\n";
    for (int i = 10; i < 23; ++i)
        many += "- name: n" + std::to_string(i) + "\n";
    const std::string message = refusal_of(many);
    CHECK(message.find("\"n10\"") != std::string::npos);
    CHECK(message.ends_with("\"n19\" and 3 more"));
    CHECK(refusal({.variables = {{"KUBECONFIG", "/a:/b"}}, .files = {{"/a", ""}, {"/b", ""}}}, {})
              .starts_with("kubeconfig /a:/b: is empty: "));
    CHECK(refusal({.variables = {{"KUBECONFIG", "/a:/b"}}, .files = {{"/a", ""}, {"/b", "{}"}}}, {})
              .starts_with("kubeconfig /a:/b: sets no current-context"));
}

TEST_CASE("config refused: clusters") {
    const std::vector<Refused> cases = {
        {"", "has no server: set it to a URL such as https://host:6443"},
        {"server: kube:6443", "server must be a URL such as https://host:6443"},
        {"server: 'https://me:s3cr3t@h'",
         "server holds a user name or password, which is not supported: take it out"},
        {https_server + ", proxy-url: proxy",
         "proxy-url must be http://[user:password@]host[:port]"},
        {https_server + ", proxy-url: 'socks5://me:s3cr3t@p'",
         "proxy-url has the scheme socks5, which is not supported: use an HTTP proxy, "
         "http://host:port (traffic through it is still encrypted)"},
        {https_server + ", proxy-url: 'http://me:s3cr3t@p:s3cr3t'",
         "proxy-url has no valid port after its host: use 1 to 65535"},
        {https_server + ", tls-server-name: 'a b'", "tls-server-name must be a host name"},
        {https_server + ", insecure-skip-tls-verify: true, certificate-authority: ca",
         "sets a certificate-authority and insecure-skip-tls-verify: remove the latter"},
        {https_server + ", insecure-skip-tls-verify: true, certificate-authority-data: eA==",
         "sets a certificate-authority and insecure-skip-tls-verify: remove the latter"},
        {https_server + ", certificate-authority-data: 's3cr3t!'",
         "certificate-authority-data is not base64: encode the PEM file with `base64 -w0`"},
        {https_server + ", certificate-authority-data: " + in_base64("s3cr3t"),
         "certificate-authority-data holds no PEM certificate (BEGIN CERTIFICATE)"},
        {https_server + ", certificate-authority: gone",
         "certificate-authority: /k/gone: there is no such file"},
        {https_server + ", certificate-authority: locked",
         "certificate-authority: /k/locked: cannot be read: Permission denied"},
    };
    for (const Refused& c : cases) {
        CAPTURE(c.text);
        CHECK(refusal_of(kubeconfig(c.text, "")) ==
              "kubeconfig /k/config: cluster \"c\": " + c.message);
    }
}

TEST_CASE("config refused: users") {
    const std::string instead =
        ", which is not supported: use a service-account token or a client certificate";
    const std::string impersonation =
        ", but impersonation is not supported: use a user with the rights themselves";
    const std::string good_certificate = "client-certificate-data: " + in_base64(ca_pem);
    const std::vector<Refused> cases = {
        {"exec: {command: s3cr3t}", "uses exec" + instead},
        {"auth-provider: {name: s3cr3t}", "uses auth-provider" + instead},
        {"username: s3cr3t", "uses username" + instead},
        {"password: s3cr3t", "uses password" + instead},
        {"token: s3cr3t, exec: {command: x}", "uses exec" + instead},
        {"token: s3cr3t, as: root", "sets as" + impersonation},
        {"as-groups: [x]", "sets as-groups" + impersonation},
        {"token: 's3cr3t x'", "token holds characters that no bearer token has: correct it"},
        {"token: \"s3cr3t\\r\\nX: y\"",
         "token holds characters that no bearer token has: correct it"},
        {"tokenFile: gone", "tokenFile: /k/gone: there is no such file"},
        {"tokenFile: locked", "tokenFile: /k/locked: cannot be read: Permission denied"},
        {"tokenFile: empty", "tokenFile: /k/empty: is empty: it must hold a bearer token"},
        {"tokenFile: big", "tokenFile: /k/big: is larger than 4 MiB: name the right file"},
        {good_certificate,
         "has a client-certificate but no client-key: set client-key or client-key-data"},
        {"client-key-data: " + in_base64(key_pem),
         "has a client-key but no client-certificate: set "
         "client-certificate or client-certificate-data"},
        {good_certificate + ", client-key-data: '%s3cr3t'",
         "client-key-data is not base64: encode the PEM file with `base64 -w0`"},
        {good_certificate + ", client-key: gone", "client-key: /k/gone: there is no such file"},
        {good_certificate + ", client-key-data: " + in_base64("s3cr3t"),
         "client-key holds no PEM private key (BEGIN ... PRIVATE KEY)"},
        {good_certificate +
             ", client-key-data: " + in_base64("-----BEGIN ENCRYPTED PRIVATE KEY-----\ns3cr3t"),
         "client-key is encrypted, which is not supported: decrypt it with `openssl pkey`"},
        {"client-key: empty, client-certificate: empty",
         "client-certificate holds no PEM certificate (BEGIN CERTIFICATE)"},
    };
    for (const Refused& c : cases) {
        CAPTURE(c.text);
        CHECK(refusal_of(kubeconfig(https_server, c.text), {"/k/config", ""},
                         {{"/k/empty", "\n"}, {"/k/big", std::string(5 << 20, 'x')}}) ==
              "kubeconfig /k/config: user \"u\": " + c.message);
    }
    // Over plain http too: without it we would be somebody else.
    CHECK(refusal_of(kubeconfig("server: 'http://h'", "as: root")).find("impersonation") !=
          std::string::npos);
}

TEST_CASE("config refused: hostile documents neither crash nor hang") {
    std::string block;
    for (int i = 0; i < 600; ++i)
        block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    const std::string merges_itself = "current-context: x\nclusters: &c [*c]\n";
    for (const std::string& text :
         {std::string(100'000, '['), std::string(100'000, '{'), std::string(50'000, '-') + " a",
          block, merges_itself, "&a {<<: *a, current-context: x}" + std::string(),
          std::string("a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nclusters: [*c, *c, *c]"),
          std::string("\0\0\0", 3), std::string("\xFF\xFE{\0}\0", 6), std::string(100'000, '*'),
          std::string("{? [a]: b, ? {c: d}: e, clusters: [{? []: x}]}")}) {
        CAPTURE(text.substr(0, 40));
        CHECK(refusal_of(text).starts_with("kubeconfig /k/config: "));
    }
    CHECK(refusal_of(std::string(100'000, '[')).ends_with(": nested too deeply"));
}
