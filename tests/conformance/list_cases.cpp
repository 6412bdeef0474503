// Lists in pages, selections, metadata only, and reads from the watch cache.
#include "kube/secret.hpp"
#include "steps.hpp"

#include <algorithm>

namespace oco::conformance {
namespace {

using asio::awaitable;
using namespace kube::resources;

constexpr std::string_view no_helm = "fieldSelector=type%21%3Dhelm.sh%2Frelease.v1";

awaitable<void> list_in_pages(Server& server, std::string ns) {
    const std::vector<std::string> names = {"a", "b", "c", "d", "e", "f", "g"};
    for (const auto& name : names)
        co_await create(server, secrets, ns, secret(name, "MQ=="));
    std::vector<std::string> found;
    std::string token;
    std::string version;
    int pages = 0;
    do {
        const auto page = co_await list(
            server, secrets, ns,
            "limit=3" + (token.empty() ? "" : "&continue=" + http::percent_encode(token)));
        check_equal(json::string_at(page, "kind"), "SecretList", "kind");
        const auto here = names_in(page);
        check(here.size() <= 3, "more than the limit");
        found.insert(found.end(), here.begin(), here.end());
        if (version.empty())
            version = version_of(page);
        check_equal(version_of(page), version, "version of each page");
        token = json::string_at(page, {"metadata", "continue"});
        if (++pages == 1) { // what happens meanwhile is not in the list
            co_await create(server, secrets, ns, secret("h", "MQ=="));
            co_await remove(server, secrets, ns, "g");
        }
        check(pages < 9, "no end");
    } while (!token.empty());
    check(pages == 3, "three pages");
    check_equal(found, names, "all that was there, once each, in order");
    auto watch = co_await Watch::open(server, secrets, ns, "resourceVersion=" + version);
    co_await watch.expect({"ADDED h", "DELETED g"});
}

awaitable<void> bad_continue_token(Server& server, std::string ns) {
    refused(co_await server.client().get(secrets.collection(ns) + "?limit=3&continue=nonsense"),
            400, "continue");
}

awaitable<void> expired_continue_token(Server& server, std::string ns) {
    const std::string token = co_await server.expired_continue_token(secrets, ns);
    const auto answer = co_await server.client().get(
        secrets.collection(ns) + "?limit=1&continue=" + http::percent_encode(token));
    refused(answer, 410);
    check(answer.error().kind == ErrorClass::expired, "the class of the error");
}

awaitable<void> list_namespaces(Server& server, std::string ns) {
    const std::string other = ns + "-2";
    co_await create(server, namespaces, "", R"({"metadata":{"name":")" + other + "\"}}");
    co_await create(server, omni_connections, ns, connection("a"));
    co_await create(server, omni_connections, other, connection("b"));
    check_equal(names_in(co_await list(server, omni_connections, ns)), {"a"}, "of one");
    check_equal(names_in(co_await list(server, omni_connections, other)), {"b"}, "of the other");
    // Others may be at work in namespaces of theirs.
    std::vector<std::string> found;
    const auto all = co_await list(server, omni_connections, "");
    for (const auto& item : (*json::find(all, "items")).GetArray())
        if (const auto where = json::string_at(item, {"metadata", "namespace"});
            where == ns || where == other)
            found.push_back(std::string(where.substr(ns.size())) + "/" + name_of(item));
    std::ranges::sort(found);
    check_equal(found, {"-2/b", "/a"}, "of all");
}

awaitable<void> empty_list(Server& server, std::string ns) {
    const auto none = co_await list(server, omni_connections, ns);
    check_equal(names_in(none), {}, "objects");
    check(!version_of(none).empty(), "an empty list has a version");
    co_await create(server, omni_connections, ns, connection("a"));
    auto watch =
        co_await Watch::open(server, omni_connections, ns, "resourceVersion=" + version_of(none));
    co_await watch.expect({"ADDED a"});
}

awaitable<void> field_selector(Server& server, std::string ns) {
    const std::string selector(no_helm);
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    co_await create(server, secrets, ns, secret("helm-1", "MQ==", "helm.sh/release.v1"));
    co_await create(server, secrets, ns, secret("tls", "MQ==", "example.com/other"));
    const auto listed = co_await list(server, secrets, ns, selector);
    check_equal(names_in(listed), {"a", "tls"}, "objects");
    auto watch = co_await Watch::open(server, secrets, ns,
                                      selector + "&resourceVersion=" + version_of(listed));
    co_await create(server, secrets, ns, secret("helm-2", "MQ==", "helm.sh/release.v1"));
    co_await patch(server, secrets, ns, "helm-1", R"({"data":{"value":"Mg=="}})");
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    co_await remove(server, secrets, ns, "helm-1");
    co_await remove(server, secrets, ns, "a");
    co_await watch.expect({"ADDED b", "DELETED a"});
    refused(co_await server.client().get(secrets.collection(ns) + "?fieldSelector=color%3Dred"),
            400, "field label not supported");
}

awaitable<void> metadata_only(Server& server, std::string ns) {
    auto& client = server.client();
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    const auto page = must(
        co_await client.get(secrets.collection(ns) + "?limit=1", kube::Accept::metadata_list_only));
    check_equal(json::string_at(page, "kind"), "PartialObjectMetadataList", "kind");
    check_equal(json::string_at(page, "apiVersion"), "meta.k8s.io/v1", "apiVersion");
    check(!version_of(page).empty(), "no version");
    check(!json::string_at(page, {"metadata", "continue"}).empty(), "no next page");
    check_equal(names_in(page), {"a"}, "objects");
    const auto one =
        must(co_await client.get(secrets.object(ns, "b"), kube::Accept::metadata_only));
    const auto whole = co_await get(server, secrets, ns, "b");
    check_equal(uid_of(one), uid_of(whole), "uid");
    for (const json::Value* item : {&(*json::find(page, "items"))[0], (const json::Value*)&one}) {
        check_equal(json::string_at(*item, "kind"), "PartialObjectMetadata", "kind of an object");
        check(json::find(*item, "data") == nullptr, "its data");
        check(json::find(*item, "type") == nullptr, "its type");
    }
    refused(co_await client.get(secrets.collection(ns), kube::Accept::metadata_only), 406);
    refused(co_await client.get(secrets.object(ns, "a"), kube::Accept::metadata_list_only), 406);
}

awaitable<void> read_not_older(Server& server, std::string ns) {
    co_await create(server, secrets, ns, secret("a", "MA=="));
    for (const char* value : {"MQ==", "Mg==", "Mw=="}) {
        const auto written = co_await patch(server, secrets, ns, "a",
                                            R"({"data":{"value":")" + std::string(value) + "\"}}");
        const auto cached = must(co_await server.client().get(
            secrets.object(ns, "a") + "?resourceVersion=" + version_of(written)));
        check_equal(json::string_at(cached, {"data", "value"}), value, "value");
        check_equal(version_of(cached), version_of(written), "version");
        const auto read = must(co_await kube::read_secret(server.client(), {.ns = ns, .name = "a"},
                                                          {"value"}, version_of(written)));
        check_equal(read.meta.resource_version, version_of(written), "version");
        check(read.values.size() == 1, "as the operator reads it");
    }
    const auto last = co_await get(server, secrets, ns, "a");
    co_await remove(server, secrets, ns, "a");
    auto watch = co_await Watch::open(server, secrets, ns, "resourceVersion=" + version_of(last));
    const Seen gone = co_await watch.next();
    refused(
        co_await server.client().get(secrets.object(ns, "a") + "?resourceVersion=" + gone.version),
        404);
}

awaitable<void> read_from_the_future(Server& server, std::string ns) {
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    const auto answer =
        co_await server.client().get(secrets.object(ns, "a") + "?resourceVersion=999999999");
    refused(answer, 504, "Too large resource version");
    check(answer.error().kind == ErrorClass::unavailable, "the class of the error");
}

} // namespace

std::vector<Case> list_cases() {
    return {{"a list in pages is of one version", list_in_pages},
            {"400 for a bad continue token", bad_continue_token},
            {"410 for an expired continue token", expired_continue_token},
            {"lists of a namespace and of all", list_namespaces},
            {"an empty list has a version, too", empty_list},
            {"field selectors, listed and watched", field_selector},
            {"metadata only", metadata_only},
            {"reads at least as new as asked", read_not_older},
            {"504 for a version of the future", read_from_the_future}};
}

} // namespace oco::conformance
