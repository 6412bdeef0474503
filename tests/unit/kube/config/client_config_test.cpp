// Which configuration is found, and what comes out of it. What is refused: config_refusal_test.cpp.
#include "unit/kube/config/fake_environment.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::kube;
using namespace oco::test;

namespace {

// The configuration that must be there. Its error, if it isn't, is what the test prints.
ClientConfig loaded(const FakeEnvironment& environment, const ConfigFlags& flags = {}) {
    auto config = environment.load(flags);
    REQUIRE_MESSAGE(config.has_value(), config.error().message);
    return std::move(*config);
}

ClientConfig loaded_text(const std::string& text, std::map<std::string, std::string> files = {}) {
    files["/k/config"] = text;
    return loaded({.files = std::move(files)}, {.kubeconfig = "/k/config"});
}

ClientConfig loaded_entry(const std::string& cluster, const std::string& user,
                          std::map<std::string, std::string> files = {}) {
    return loaded_text(kubeconfig(cluster, user), std::move(files));
}

// A whole kubeconfig whose token says which one was taken.
std::string named(const std::string& name) {
    return kubeconfig(https_server, "token: " + name, "cluster: c, user: u, namespace: " + name);
}

} // namespace

TEST_CASE("config: where it is looked for, and which place wins") {
    struct Case {
        const char* what;
        ConfigFlags flags;
        std::map<std::string, std::string> variables;
        const char* taken;
    };

    const Case cases[] = {
        {"in-cluster comes before both files", {}, {{"KUBECONFIG", "/env"}}, "omni"},
        {"--kubeconfig comes first", {.kubeconfig = "/flag"}, {{"KUBECONFIG", "/env"}}, "flag"},
        {"--context asks for a kubeconfig", {.context = "prod"}, {{"KUBECONFIG", "/env"}}, "env"},
        {"--context, without $KUBECONFIG", {.context = "prod"}, {}, "home"},
        {"no host: no cluster", {}, {{"KUBERNETES_SERVICE_HOST", ""}}, "home"},
        {"no port: no cluster", {}, {{"KUBERNETES_SERVICE_PORT", ""}}, "home"},
        {"an empty $KUBECONFIG is none", {.context = "prod"}, {{"KUBECONFIG", ""}}, "home"},
        {"POD_NAMESPACE comes before the file", {}, {{"POD_NAMESPACE", "pods"}}, "pods"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.what);
        FakeEnvironment environment = pod();
        environment.variables["HOME"] = "/home/me";
        for (const auto& [name, value] : c.variables)
            environment.variables[name] = value;
        environment.files["/flag"] = named("flag");
        environment.files["/env"] = named("env");
        environment.files["/home/me/.kube/config"] = named("home");
        CHECK(loaded(environment, c.flags).default_namespace == c.taken);
    }
    FakeEnvironment no_token = pod();
    no_token.files.erase(account + "token");
    no_token.variables["HOME"] = "/home/me";
    no_token.files["/home/me/.kube/config"] = named("home");
    CHECK(loaded(no_token).default_namespace == "home");
}

TEST_CASE("config: in-cluster") {
    FakeEnvironment environment = pod();
    const auto config = loaded(environment);
    CHECK(config.source == "in-cluster");
    CHECK(config.server.scheme == net::Scheme::https);
    CHECK(config.server.host == "10.96.0.1");
    CHECK(config.server.port == 443);
    CHECK(config.server.path_prefix == "");
    CHECK(config.verify == Verify::peer);
    CHECK(config.ca_pem == ca_pem);
    CHECK(config.ca_file == account + "ca.crt");
    CHECK(config.token.expose() == "s3cr3t-pod");
    CHECK(config.token_file == account + "token");

    environment.variables["KUBERNETES_SERVICE_HOST"] = "FD00:10:96::1";
    CHECK(loaded(environment).server.host == "fd00:10:96::1");
    environment.files.erase(account + "namespace");
    CHECK(loaded(environment).default_namespace == "");
}

TEST_CASE("config: $KUBECONFIG is merged, the first file wins") {
    const std::string first = "current-context: a\n"
                              "contexts: [{name: a, context: {cluster: c, user: u}}]\n"
                              "users: [{name: u, user: {tokenFile: token}}]\n";
    const std::string second = "current-context: b\n"
                               "contexts:\n"
                               "- {name: a, context: {cluster: other, user: u, namespace: lost}}\n"
                               "- {name: b, context: {cluster: c, user: u, namespace: second}}\n"
                               "users: [{name: u, user: {token: s3cr3t-lost, as: lost}}]\n"
                               "clusters: [{name: c, cluster: {" +
                               https_server + ", certificate-authority: ../ca.pem}}]\n";
    const FakeEnvironment environment{
        .variables = {{"KUBECONFIG", ":/absent:/one/config::/two/deep/config:"}},
        .files = {{"/one/config", first},
                  {"/two/deep/config", second},
                  {"/one/token", "s3cr3t-one"},
                  {"/two/ca.pem", ca_pem}}};
    const auto config = loaded(environment);
    CHECK(config.token.expose() == "s3cr3t-one"); // relative to the file that says so, not blended
    CHECK(config.token_file == "/one/token");
    CHECK(config.ca_file == "/two/ca.pem");
    CHECK(config.default_namespace == "");
    CHECK(config.source == "kubeconfig /one/config: context \"a\"");
    CHECK(loaded(environment, {.context = "b"}).default_namespace == "second");
}

TEST_CASE("config: relative paths start at the kubeconfig's folder") {
    const std::string text = kubeconfig(https_server, "tokenFile: ./secrets/../token");
    const FakeEnvironment environment{.files = {{"config", text},
                                                {"token", "s3cr3t-here"},
                                                {"../up/config", text},
                                                {"../up/token", "s3cr3t-up"}}};
    CHECK(loaded(environment, {.kubeconfig = "config"}).token.expose() == "s3cr3t-here");
    CHECK(loaded(environment, {.kubeconfig = "../up/config"}).token.expose() == "s3cr3t-up");
}

TEST_CASE("config: certificates and keys, from data or files; data wins") {
    const std::string data = base64::encode(ca_pem);
    auto config = loaded_entry(https_server + ", certificate-authority-data: " + data +
                                   ", certificate-authority: /absent",
                               "client-certificate-data: " + data +
                                   ", client-certificate: /absent, client-key: /absent, "
                                   "client-key-data: " +
                                   base64::encode(key_pem));
    CHECK(config.ca_pem == ca_pem);
    CHECK(config.ca_file == "");
    CHECK(config.client_certificate_pem == ca_pem);
    CHECK(config.client_key_pem.expose() == key_pem);
    CHECK(config.token.empty());

    config = loaded_entry(https_server + ", certificate-authority: ca",
                          "client-certificate: crt, client-key: /elsewhere/key",
                          {{"/k/ca", ca_pem}, {"/k/crt", ca_pem}, {"/elsewhere/key", key_pem}});
    CHECK(config.ca_pem == ca_pem);
    CHECK(config.ca_file == "/k/ca");
    CHECK(config.client_certificate_pem == ca_pem);
    CHECK(config.client_key_pem.expose() == key_pem);

    config = loaded_entry(https_server, "token: s3cr3t, client-key: /absent"); // as client-go
    CHECK(config.client_key_pem.empty());
    CHECK(config.ca_pem == ""); // the system's roots
}

TEST_CASE("config: tokens") {
    auto config = loaded_entry(https_server, "token: s3cr3t-inline");
    CHECK(config.token.expose() == "s3cr3t-inline");
    CHECK(config.token_file == "");
    config = loaded_entry(https_server, "token: s3cr3t-inline, tokenFile: t",
                          {{"/k/t", " s3cr3t-file\r\n"}});
    CHECK(config.token.expose() == "s3cr3t-file");
    CHECK(config.token_file == "/k/t");
    // The file may appear later; until then the token serves.
    config = loaded_entry(https_server, "token: s3cr3t-inline, tokenFile: t");
    CHECK(config.token.expose() == "s3cr3t-inline");
    CHECK(config.token_file == "/k/t");
}

TEST_CASE("config: the cluster's other members") {
    auto config = loaded_entry("server: https://KUBE.example/k8s/clusters/x/, tls-server-name: "
                               "api.internal, proxy-url: 'http://me:s3cr3t@proxy:3128'",
                               "token: s3cr3t");
    CHECK(config.server.host == "kube.example");
    CHECK(config.server.port == 443);
    CHECK(config.server.path_prefix == "/k8s/clusters/x");
    CHECK(config.tls_server_name == "api.internal");
    REQUIRE(config.proxy);
    CHECK(config.proxy->authority() == "proxy:3128");
    CHECK(!config.proxy->basic_credentials.empty());
    CHECK(config.verify == Verify::peer);
    config = loaded_entry(https_server + ", insecure-skip-tls-verify: true", "");
    CHECK(config.verify == Verify::none);
    CHECK(loaded_entry(https_server + ", insecure-skip-tls-verify: false", "").verify ==
          Verify::peer);
}

TEST_CASE("config: no credentials over plain http, and none is needed") {
    const auto config = loaded_entry("server: 'http://127.0.0.1:8001', certificate-authority: /x",
                                     "token: s3cr3t, exec: {command: x}, client-key: /x");
    CHECK(config.server.scheme == net::Scheme::http);
    CHECK(config.server.port == 8001);
    CHECK(config.token.empty());
    CHECK(config.client_key_pem.empty());
    CHECK(config.ca_pem == "");
    CHECK(loaded_entry(https_server, "").token.empty());
    CHECK(loaded_text(kubeconfig(https_server, "", "cluster: c")).token.empty()); // no user at all
}

TEST_CASE("config: YAML and JSON as people and tools write them") {
    const std::string tail = "contexts: [{name: prod, context: {cluster: c, user: u}}]\n"
                             "current-context: prod\n";
    const std::string texts[] = {
        // minified JSON, with escapes
        R"({"kind":"Config","apiVersion":"v1","current-context":"prod","clusters":[{"name":"c",)"
        R"("cluster":{"server":"https:\/\/kube.example:6443"}}],"users":[{"name":"u","user":)"
        R"({"token":"s3cr3t-\u0078"}}],"contexts":[{"name":"prod","context":{"cluster":"c",)"
        R"("user":"u"}}],"preferences":{},"unknown":[{"x":null}]})",
        // tabs and line breaks in JSON, CRLF, a byte order mark
        "\xEF\xBB\xBF{\r\n\t\"clusters\": [\r\n\t\t{\"name\": \"c\", \"cluster\": {\"server\":\r\n"
        "\"https://kube.example:6443\"}}],\r\n\t\"users\": [{\"name\": \"u\", \"user\": {\"token\":"
        " \"s3cr3t-x\"}}],\r\n\"contexts\": [{\"name\": \"prod\", \"context\": {\"cluster\": \"c\","
        "\"user\": \"u\"}}], \"current-context\": \"prod\"}\r\n",
        // anchors and merge keys; what is said beside a merge key wins
        "x: &base {server: 'https://kube.example:6443', token: s3cr3t-lost}\n"
        "clusters: [{name: c, cluster: {<<: *base, tls-server-name: null}}]\n"
        "users: [{name: u, user: {<<: *base, token: s3cr3t-x}}]\n" +
            tail,
        // block style, comments, nulls, unknown members; of a repeated member the last counts
        "# mine\nclusters:\n- cluster:\n    server: lost\n    server: https://kube.example:6443\n"
        "    certificate-authority: null\n    tls-server-name: ~\n    x-new: {a: [b]}\n  name: c\n"
        "users:\n- name: u\n  user:\n    token: >-\n      s3cr3t-x\n    exec: null\n    username:\n"
        "    as-groups: []\nextensions:\n" +
            tail,
    };
    for (const std::string& text : texts) {
        CAPTURE(text);
        const auto config = loaded_text(text);
        CHECK(config.server.host == "kube.example");
        CHECK(config.token.expose() == "s3cr3t-x");
        CHECK(config.tls_server_name == "");
    }
}

TEST_CASE("config: only the entries that the context uses must be right") {
    const auto config = loaded_text(
        "clusters: [{name: c, cluster: {" + https_server +
        "}}, {name: bad, cluster: {}}]\n"
        "users: [{name: u}, {name: bad, user: {exec: {command: x}, client-key-data: '!'}}]\n"
        "contexts: [{name: prod, context: {cluster: c, user: u}},\n"
        "  {name: bad, context: {cluster: none, user: none}}]\ncurrent-context: prod\n");
    CHECK(config.server.port == 6443);
}

TEST_CASE("client config: a kubeconfig can be read again, a pod's files are followed one by one") {
    FakeEnvironment environment{.files = {{"/k", kubeconfig(https_server, "token: s3cr3t-1")}}};
    const auto config = environment.load({.kubeconfig = "/k"});
    REQUIRE(config.has_value());
    environment.files["/k"] = kubeconfig(https_server, "token: s3cr3t-2");
    REQUIRE(config->reload);
    CHECK(config->reload()->token.expose() == "s3cr3t-2");
    const auto in_cluster = pod().load();
    REQUIRE(in_cluster.has_value());
    CHECK_FALSE(in_cluster->reload);
}
