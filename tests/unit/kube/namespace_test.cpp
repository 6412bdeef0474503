#include "kube/namespace.hpp"
#include "support/scripted_network.hpp"
#include "unit/kube/plain_client.hpp"

#include <doctest/doctest.h>

using namespace oco;
using namespace oco::kube;
using namespace oco::test;

namespace {

struct NamespaceFixture {
    ScriptedNetwork network;
    std::unique_ptr<kube::Client> client = plain_client(network);

    static asio::awaitable<Result<NamespaceState>> state(kube::Client& client, std::string name) {
        co_return co_await look_up_namespace(client, std::move(name));
    }

    static asio::awaitable<Result<std::string>> blame(kube::Client& client, Error error) {
        co_return (co_await blame_operator_namespace(client, "ops", std::move(error))).message;
    }

    NamespaceState look_up(const Reply& reply) {
        network.connections = {{.replies = {reply}}};
        network.pass(std::chrono::minutes(2)); // no idle connection
        return *network.run(state(*client, "ops"));
    }

    std::string message(ErrorClass kind, const Reply& reply) {
        network.connections = {{.replies = {reply}}};
        network.pass(std::chrono::minutes(2));
        return *network.run(blame(*client, make_error(kind, "secrets is forbidden")));
    }
};

const std::string none = R"({"kind":"PartialObjectMetadataList","items":null})";
const std::string found = R"({"kind":"NamespaceList","items":[{"metadata":{"name":"ops"}}]})";
// Of a server that does not know field selectors.
const std::string others =
    R"({"kind":"NamespaceList","items":[{"metadata":{"name":"other"}},{"metadata":{"name":"opsx"}}]})";

} // namespace

TEST_CASE_FIXTURE(NamespaceFixture, "a namespace is looked up by its name") {
    CHECK(look_up(answers("200 OK", found)) == NamespaceState::present);
    CHECK(network.requests.back().starts_with(
        "GET /api/v1/namespaces?fieldSelector=metadata.name%3Dops HTTP/1.1\r\n"));
    CHECK(look_up(answers("200 OK", none)) == NamespaceState::absent);
    CHECK(look_up(answers("200 OK", others)) == NamespaceState::absent);
    CHECK(look_up(answers("200 OK", R"({"kind":"NamespaceList","items":[]})")) ==
          NamespaceState::absent);
    CHECK(look_up(answers("200 OK", "{}")) == NamespaceState::unknown);
    CHECK(look_up(answers("403 Forbidden", "{}")) == NamespaceState::unknown);
    CHECK(look_up(answers("500 Internal Server Error", "{}")) == NamespaceState::unknown);
}

TEST_CASE_FIXTURE(NamespaceFixture, "the operator's namespace is blamed when it is missing") {
    const std::string absent =
        "namespace ops, the operator's own, does not exist: create it (kubectl create namespace "
        "ops), or name another with --operator-namespace";
    CHECK(message(ErrorClass::forbidden, answers("200 OK", none)) == absent);
    CHECK(message(ErrorClass::not_found, answers("200 OK", none)) == absent);
    CHECK(message(ErrorClass::forbidden, answers("200 OK", found)) == "secrets is forbidden");
    CHECK(message(ErrorClass::forbidden, answers("403 Forbidden", "{}")) ==
          "secrets is forbidden; if namespace ops does not exist, create it (kubectl create "
          "namespace ops) or name another with --operator-namespace");
    const auto before = network.requests.size();
    CHECK(message(ErrorClass::unavailable, answers("200 OK", none)) == "secrets is forbidden");
    CHECK(message(ErrorClass::unauthorized, answers("200 OK", none)) == "secrets is forbidden");
    CHECK(network.requests.size() == before); // nobody asked
}
