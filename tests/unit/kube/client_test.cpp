#include "base/text.hpp"
#include "kube/client.hpp"
#include "support/gzip.hpp"
#include "support/scripted_network.hpp"
#include "unit/omni/test_keys.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace oco;
using namespace oco::kube;
using namespace oco::test;
using namespace std::chrono_literals;

namespace {

const std::string thing = R"({"metadata":{"name":"x"}})";
const std::string list_path = "/apis/omniconnection.io/v1alpha1/omniconnections";

std::string status_body(const std::string& message) {
    return R"({"kind":"Status","message":")" + message + "\"}";
}

// Whether the text has the header line, and with it the bearer token and the like.
bool has_line(const std::string& request, const std::string& line) {
    return request.find("\r\n" + line + "\r\n") != std::string::npos;
}

struct ClientFixture {
    ScriptedNetwork network;
    std::map<std::string, std::string> files;
    std::vector<int> observed;
    std::unique_ptr<kube::Client> client;

    explicit ClientFixture(ClientConfig config = token_from_file()) {
        files["/token"] = "first";
        auto made = kube::Client::make(
            network, std::move(config),
            [this](const std::string& path) -> Result<SecretBytes> {
                const auto found = files.find(path);
                if (found == files.end())
                    return make_error(ErrorClass::not_found, "No such file or directory");
                return SecretBytes(found->second);
            },
            [this](std::string_view, int code, rt::Duration) { observed.push_back(code); });
        REQUIRE(made.has_value());
        client = std::move(*made);
    }

    static ClientConfig token_from_file() {
        ClientConfig config;
        config.server = {
            .scheme = net::Scheme::http, .host = "kube", .port = 80, .path_prefix = "/p"};
        config.token = SecretBytes("first");
        config.token_file = "/token";
        return config;
    }

    static ClientConfig trusting(const std::string& ca) {
        ClientConfig config;
        config.server = {
            .scheme = net::Scheme::https, .host = "kube", .port = 443, .path_prefix = ""};
        config.ca_pem = ca;
        config.ca_file = "/ca";
        return config;
    }

    Result<json::Document> get(const std::string& target = list_path) {
        return network.run(client->get(target));
    }
};

Connection untrusted() {
    return {.replies = {}, .refused = make_error(ErrorClass::tls, "not trusted")};
}

} // namespace

TEST_CASE_FIXTURE(ClientFixture, "kube client: a request as it is sent") {
    network.connections = {{.replies = {answers("200 OK", thing), answers("201 Created", thing)}}};
    REQUIRE(get().has_value());
    CHECK(network.requests[0].starts_with("GET /p" + list_path + " HTTP/1.1\r\n"));
    CHECK(has_line(network.requests[0], "Authorization: Bearer first"));
    CHECK(has_line(network.requests[0], "Accept: application/json"));
    REQUIRE(network.run(client->create("/x", "{}")).has_value());
    CHECK(network.requests[1].starts_with("POST /p/x HTTP/1.1\r\n"));
    CHECK(has_line(network.requests[1], "Content-Type: application/json"));
    CHECK(network.requests[1].ends_with("\r\n\r\n{}"));
    CHECK(observed == std::vector{200, 201});
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: gzip for all that is read, except for Secrets") {
    struct Case {
        std::string target;
        Accept accept;
        bool packed;
    };

    const Case cases[] = {
        {list_path + "?limit=500", Accept::object, true},
        {"/api/v1/namespaces?limit=500", Accept::metadata_list_only, true},
        {"/api/v1/namespaces/secretsquirrel/configmaps", Accept::object, true},
        {"/apis/x.io/v1/secrets", Accept::object, true},
        {"/api/v1/namespaces/a/secrets/b", Accept::object, false},
        {"/api/v1/namespaces/a/secrets/b?resourceVersion=1", Accept::object, false},
        {"/api/v1/secrets?limit=500", Accept::metadata_list_only, false},
        {"/api/v1/namespaces/a/secrets?watch=1", Accept::metadata_only, false},
    };
    network.connections = {{}};
    for (const Case& c : cases) {
        network.connections.front().replies.push_back(
            c.packed ? answers("200 OK", gzip(thing), "Content-Encoding: gzip\r\n")
                     : answers("200 OK", thing));
    }
    for (const Case& c : cases) {
        CAPTURE(c.target);
        const auto document = network.run(client->get(c.target, c.accept));
        REQUIRE(document.has_value());
        CHECK(json::string_at(*document, {"metadata", "name"}) == "x");
        CHECK(has_line(network.requests.back(), "Accept-Encoding: gzip") == c.packed);
    }
    network.connections = {{.replies = {answers("200 OK", thing), answers("200 OK", thing)}}};
    network.pass(1min);
    CHECK(network.run(client->merge_patch(list_path, "{}")).has_value());
    CHECK(!has_line(network.requests.back(), "Accept-Encoding: gzip"));
}

TEST_CASE_FIXTURE(ClientFixture,
                  "kube client: a 401 is followed by one attempt with the newest token") {
    network.connections = {
        {.replies = {answers("200 OK", thing), answers("401 Unauthorized", "{}"),
                     answers("200 OK", thing), answers("401 Unauthorized", status_body("no")),
                     answers("401 Unauthorized", status_body("still no"))}}};
    REQUIRE(get().has_value());
    files["/token"] = "second\n";
    REQUIRE(get().has_value()); // the file was not due yet
    CHECK(has_line(network.requests[1], "Authorization: Bearer first"));
    CHECK(has_line(network.requests[2], "Authorization: Bearer second"));
    const auto refused = get();
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorClass::unauthorized);
    // The token and not a right is the matter.
    CHECK(refused.error().message ==
          "the API server does not accept the operator's token (401 Unauthorized): it has expired, "
          "was revoked, or belongs to another cluster; put a valid one into /token");
    CHECK(network.requests.size() == 5);
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: the token's file is read again each minute") {
    network.connections = {{.replies = {answers("200 OK", thing), answers("200 OK", thing)}},
                           {.replies = {answers("200 OK", thing), answers("200 OK", thing)}}};
    REQUIRE(get().has_value());
    files["/token"] = "second";
    REQUIRE(get().has_value());
    CHECK(has_line(network.requests.back(), "Authorization: Bearer first"));
    network.pass(1min);
    REQUIRE(get().has_value());
    CHECK(has_line(network.requests.back(), "Authorization: Bearer second"));
    files["/token"] = "half\nwritten";
    REQUIRE(get().has_value());
    CHECK(has_line(network.requests.back(), "Authorization: Bearer second"));
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: a watch has its own attempt after a 401") {
    const Reply watch{.pieces = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "3\r\none\r\n"}};
    network.connections = {{.replies = {watch}},
                           {.replies = {answers("401 Unauthorized", "{}")}},
                           {.replies = {watch}},
                           {.replies = {answers("401 Unauthorized", "{}")}},
                           {.replies = {answers("401 Unauthorized", "{}")}}};
    const std::string target = list_path + "?watch=1";
    REQUIRE(network.run(client->watch(target, Accept::object)).has_value());
    files["/token"] = "second";
    const auto stream = network.run(client->watch(target, Accept::object));
    REQUIRE(stream.has_value());
    CHECK(has_line(network.requests.back(), "Authorization: Bearer second"));
    CHECK(network.run((*stream)->read())->expose() == "one");
    const auto refused = network.run(client->watch(target, Accept::object));
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorClass::unauthorized);
    CHECK(observed == std::vector{200, 401, 200, 401, 401});
}

TEST_CASE(
    "kube client: a kubeconfig that holds the token is read again, after a 401 and each minute") {
    std::string newest = "first";
    const auto kubeconfig = [&newest]() -> Result<ClientConfig> {
        if (newest.empty())
            return make_error(ErrorClass::invalid, "half-written");
        ClientConfig config = ClientFixture::token_from_file();
        config.token_file.clear();
        config.token = SecretBytes(newest);
        return config;
    };
    ClientConfig config = *kubeconfig();
    config.reload = kubeconfig;
    ClientFixture at(std::move(config));
    at.network.connections = {
        {.replies = {answers("200 OK", thing), answers("401 Unauthorized", "{}"),
                     answers("200 OK", thing)}},
        {.replies = {answers("200 OK", thing), answers("200 OK", thing)}}};
    REQUIRE(at.get().has_value());
    newest = "second";
    REQUIRE(at.get().has_value());
    CHECK(has_line(at.network.requests.back(), "Authorization: Bearer second"));
    newest = "third";
    at.network.pass(1min);
    REQUIRE(at.get().has_value());
    CHECK(has_line(at.network.requests.back(), "Authorization: Bearer third"));
    newest.clear();
    at.network.pass(1min);
    at.network.connections.push_back({.replies = {answers("200 OK", thing)}});
    REQUIRE(at.get().has_value());
    CHECK(has_line(at.network.requests.back(), "Authorization: Bearer third"));
}

TEST_CASE("kube client: a 401 stands where nothing can be read again") {
    ClientConfig config = ClientFixture::token_from_file();
    config.token_file.clear();
    ClientFixture at(std::move(config));
    at.network.connections = {{.replies = {answers("401 Unauthorized", "{}")}}};
    CHECK(at.get().error().kind == ErrorClass::unauthorized);
}

TEST_CASE("kube client: a new CA is taken from its file, when it is whole") {
    const std::string first = certificate_pem(ec_key());
    const std::string second = certificate_pem(ec_key());
    REQUIRE(first != second);
    ClientFixture at(ClientFixture::trusting(first));
    auto& network = at.network;
    const auto trust = [&network] {
        return network.endpoints.back().tls;
    };
    at.files["/ca"] = first;
    network.connections = {{.replies = {answers("200 OK", thing)}}};
    REQUIRE(at.get().has_value());
    const auto before = trust();

    SUBCASE("at once when the server is not trusted any more") {
        at.files["/ca"] = second;
        network.connections = {untrusted(), {.replies = {answers("200 OK", thing)}}};
        network.pass(51s); // no idle connection
        REQUIRE(at.get().has_value());
        CHECK(trust() != before);
    }
    SUBCASE("the same for a watch") {
        at.files["/ca"] = second;
        network.connections = {untrusted(), {.replies = {answers("200 OK", "")}}};
        REQUIRE(network.run(at.client->watch("/x", Accept::object)).has_value());
        CHECK(trust() != before);
    }
    SUBCASE("within a minute otherwise, and connections are made again") {
        at.files["/ca"] = second;
        network.connections = {{.replies = {answers("200 OK", thing)}}};
        network.pass(1min);
        REQUIRE(at.get().has_value());
        CHECK(trust() != before);
        CHECK(network.connections.empty());
    }
    SUBCASE("a server that the same CA does not vouch for stays untrusted") {
        network.connections = {untrusted(), {.replies = {answers("200 OK", thing)}}};
        CHECK(network.run(at.client->watch("/x", Accept::object)).error().kind == ErrorClass::tls);
        CHECK(network.connections.size() == 1);
    }
    SUBCASE("half-written, empty and missing files change nothing") {
        for (const std::string& half :
             {second.substr(0, second.size() / 2), first + second.substr(0, 60), std::string()}) {
            at.files["/ca"] = half;
            network.connections = {untrusted()};
            CHECK(network.run(at.client->watch("/x", Accept::object)).error().kind ==
                  ErrorClass::tls);
            CHECK(trust() == before);
        }
        at.files.erase("/ca");
        network.connections = {untrusted()};
        CHECK(network.run(at.client->watch("/x", Accept::object)).error().kind == ErrorClass::tls);
        CHECK(trust() == before);
    }
}

TEST_CASE("kube client: a client certificate is renewed together with its key") {
    const Key first = ec_key();
    const Key second = ec_key();
    ClientConfig config = ClientFixture::trusting(certificate_pem(first));
    config.client_certificate_pem = certificate_pem(first);
    config.client_key_pem = SecretBytes(pkcs8_pem(first));
    config.client_certificate_file = "/crt";
    config.client_key_file = "/key";
    ClientFixture at(std::move(config));
    at.files["/crt"] = certificate_pem(second); // the key is still the old one
    at.files["/key"] = pkcs8_pem(first);
    at.network.connections = {
        {.replies = {answers("401 Unauthorized", "{}"), answers("401 Unauthorized", "{}")}},
        {.replies = {answers("200 OK", thing)}}};
    CHECK(at.get().error().kind == ErrorClass::unauthorized);
    const auto before = at.network.endpoints.back().tls;
    at.files["/key"] = pkcs8_pem(second);
    at.network.connections = {{.replies = {answers("200 OK", thing)}}};
    at.network.pass(1min);
    REQUIRE(at.get().has_value());
    CHECK(at.network.endpoints.back().tls != before);
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: waits as long as the server asks, three times") {
    const auto busy = answers("429 Too Many", status_body("busy"), "Retry-After: 2\r\n");
    network.connections = {{.replies = {busy, answers("503 Starting", "{}", "Retry-After: 1\r\n"),
                                        answers("429 Too Many", "{}"), answers("200 OK", thing)}}};
    const auto started = network.now();
    REQUIRE(network.run(client->merge_patch("/x", "{}")).has_value());
    CHECK(network.now() - started >= 4s);
    CHECK(network.now() - started < 4500ms);

    network.connections = {{.replies = {busy, busy, busy, busy, answers("200 OK", thing)}}};
    network.pass(1min);
    const auto refused = get();
    REQUIRE(refused.has_error());
    CHECK(refused.error().kind == ErrorClass::rate_limited);
    CHECK(refused.error().message == "busy");
    CHECK(refused.error().retry_after == 2s);
    CHECK(observed == std::vector{429, 503, 429, 200, 429, 429, 429, 429});
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: a watch waits as it is asked to") {
    network.connections = {
        {.replies = {answers("429 Too Many", "{}", "Retry-After: 3\r\n")}},
        {.replies = {{.pieces = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"}}}}};
    const auto started = network.now();
    REQUIRE(network.run(client->watch("/x", Accept::object)).has_value());
    CHECK(network.now() - started >= 3s);
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: what it does not wait for") {
    const auto once = [this](const Reply& reply) {
        network.connections = {{.replies = {reply, answers("200 OK", thing)}}};
        network.pass(1min);
        const auto started = network.now();
        const auto failed = get();
        REQUIRE(failed.has_error());
        CHECK(network.now() - started < 100ms);
        return failed.error();
    };
    CHECK(once(answers("429 Too Many", "{}", "Retry-After: 11\r\n")).retry_after == 11s);
    CHECK(once(answers("503 Unavailable", "{}")).kind == ErrorClass::unavailable);
    CHECK(once(answers("500 Oops", "{}", "Retry-After: 1\r\n")).kind == ErrorClass::unavailable);
    CHECK(once(answers("409 Conflict", "{}")).kind == ErrorClass::conflict);
    CHECK(once(answers("410 Gone", "{}")).kind == ErrorClass::expired);
    // Three times eight seconds are beyond the deadline of one request.
    const auto slow = answers("429 Too Many", "{}", "Retry-After: 8\r\n");
    network.connections = {{.replies = {slow, slow, slow}}};
    network.pass(1min);
    const auto started = network.now();
    CHECK(get().error().retry_after == 8s);
    CHECK(network.now() - started < 9s);
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: the deadline holds for all attempts together") {
    network.connections = {{.replies = {answers("429 Too Many", "{}", "Retry-After: 10\r\n"),
                                        {.pieces = {http_answer("200 OK", thing)}, .after = 6s}}}};
    const auto started = network.now();
    CHECK(get().error().kind == ErrorClass::unavailable);
    CHECK(network.now() - started < request_deadline + 100ms);
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: a watch that is refused says why") {
    const std::string target = list_path + "?watch=1";
    const auto refused = [&](const std::string& body) {
        network.connections = {{.replies = {answers("403 Forbidden", body)}}};
        const auto answer = network.run(client->watch(target, Accept::object));
        REQUIRE(answer.has_error());
        return answer.error();
    };
    const auto by_rights = refused(status_body("omniconnections is forbidden"));
    CHECK(by_rights.kind == ErrorClass::forbidden);
    CHECK(by_rights.message == "omniconnections is forbidden");
    // Nothing is said of the operator's rights; nor is what a stranger writes repeated.
    for (const char* body : {"", "<html>Forbidden</html>", R"({"message":"no entry"})"}) {
        const auto by_another = refused(body);
        CHECK(by_another.kind == ErrorClass::unavailable);
        CHECK(by_another.message ==
              "watch of " + list_path +
                  ": 403, and not as a Kubernetes API server answers: check the server's address, "
                  "and the proxies on the way");
    }
}

TEST_CASE("kube client: a 401 names what was presented, and where it comes from") {
    const auto message = [](ClientConfig config) {
        ClientFixture at(std::move(config));
        const Connection refusing{.replies = {answers("401 Unauthorized", status_body("no"))}};
        at.network.connections = {refusing, refusing};
        const auto refused = at.network.run(at.client->watch("/x", Accept::object));
        REQUIRE(refused.has_error());
        CHECK(refused.error().kind == ErrorClass::unauthorized);
        CHECK(refused.error().message.size() <= max_message_bytes);
        CHECK(refused.error().message.find("first") == std::string::npos);
        return refused.error().message;
    };
    ClientConfig config = ClientFixture::token_from_file();
    CHECK(message(std::move(config)).ends_with("put a valid one into /token"));
    config = ClientFixture::token_from_file();
    config.token_file.clear();
    CHECK(message(std::move(config)).ends_with("put a valid one into the kubeconfig"));
    config = ClientFixture::token_from_file();
    config.token_file.clear();
    config.token = SecretBytes();
    CHECK(message(std::move(config)).find("none are configured") != std::string::npos);
    config = ClientFixture::trusting("");
    config.ca_file.clear();
    config.client_certificate_pem = certificate_pem(rsa_key());
    config.client_key_pem = SecretBytes(pkcs8_pem(rsa_key()));
    CHECK(message(std::move(config)).find("operator's client certificate (401") !=
          std::string::npos);
}

TEST_CASE_FIXTURE(ClientFixture, "kube client: a page that is no JSON is an answer all the same") {
    network.connections = {{.replies = {answers("200 OK", "<html>hello</html>")}}};
    const auto page = get("/version");
    REQUIRE(page.has_error());
    CHECK(page.error().http_status == 200);
    CHECK(page.error().message == "GET /version: 200, but the body is not valid JSON at byte 0; is "
                                  "it the address of a Kubernetes API server?");
}
