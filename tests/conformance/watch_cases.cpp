// Watches: which events come, in which order, with which versions, and how a stream ends.
#include "steps.hpp"

namespace oco::conformance {
namespace {

using asio::awaitable;
using namespace kube::resources;

constexpr std::string_view streamed_list =
    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

awaitable<void> events_in_order(Server& server, std::string ns) {
    const auto none = co_await list(server, omni_connections, ns);
    auto watch =
        co_await Watch::open(server, omni_connections, ns, "resourceVersion=" + version_of(none));
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    const auto changed =
        co_await patch(server, omni_connections, ns, "a", R"({"spec":{"baseRole":"QUERIER"}})");
    must(co_await server.client().patch_status(omni_connections, kube::decode_meta(made),
                                               R"({"observedGeneration":2})"));
    const auto told = co_await get(server, omni_connections, ns, "a");
    co_await remove(server, omni_connections, ns, "a");
    co_await create(server, omni_connections, ns, connection("b"));

    const Seen added = co_await watch.next();
    check_equal(added.str(), "ADDED a", "first event");
    check(added.object() == made, "the object as it was created");
    const Seen modified = co_await watch.next();
    check_equal(modified.str(), "MODIFIED a", "second event");
    check(modified.object() == changed, "the object as it was changed");
    const Seen status = co_await watch.next();
    check_equal(status.str(), "MODIFIED a", "third event");
    check(status.object() == told, "the object as its status was changed");
    const Seen deleted = co_await watch.next();
    check_equal(deleted.str(), "DELETED a", "fourth event");
    check_equal(uid_of(deleted.object()), uid_of(made), "uid");
    check_equal(json::string_at(deleted.object(), {"spec", "baseRole"}), "QUERIER", "last state");
    check(deleted.version != status.version, "a deletion has a version of its own");
    co_await watch.expect({"ADDED b"});
}

// From where a watch has come to, the next one goes on: nothing twice, nothing lost.
awaitable<void> watch_goes_on(Server& server, std::string ns) {
    const auto first = co_await create(server, secrets, ns, secret("a", "MQ=="));
    const auto second = co_await create(server, secrets, ns, secret("b", "MQ=="));
    co_await remove(server, secrets, ns, "a");
    co_await create(server, secrets, ns, secret("c", "MQ=="));
    auto early = co_await Watch::open(server, secrets, ns, "resourceVersion=" + version_of(first));
    co_await early.expect({"ADDED b"});
    const Seen gone = co_await early.next();
    check_equal(gone.str(), "DELETED a", "event");
    auto late = co_await Watch::open(server, secrets, ns, "resourceVersion=" + gone.version);
    co_await late.expect({"ADDED c"});
    auto middle =
        co_await Watch::open(server, secrets, ns, "resourceVersion=" + version_of(second));
    co_await middle.expect({"DELETED a", "ADDED c"});
}

awaitable<void> watch_of_all_namespaces(Server& server, std::string ns) {
    const std::string other = ns + "-2";
    co_await create(server, namespaces, "", R"({"metadata":{"name":")" + other + "\"}}");
    const auto none = co_await list(server, omni_connections, "");
    const std::string from = "resourceVersion=" + version_of(none);
    auto all = co_await Watch::open(server, omni_connections, "", from);
    auto one = co_await Watch::open(server, omni_connections, other, from);
    co_await create(server, omni_connections, ns, connection("a"));
    co_await create(server, omni_connections, other, connection("b"));
    co_await remove(server, omni_connections, ns, "a");
    co_await remove(server, omni_connections, other, "b");
    co_await one.expect({"ADDED b", "DELETED b"});
    std::vector<std::string> found;
    while (found.size() < 4) {
        const Seen seen = co_await all.next();
        check(!seen.type.empty(), "the stream has ended");
        if (seen.ns == ns || seen.ns == other) // others may be at work in theirs
            found.push_back(seen.str());
    }
    check_equal(found, {"ADDED a", "ADDED b", "DELETED a", "DELETED b"}, "of all");
}

awaitable<void> watch_metadata_only(Server& server, std::string ns) {
    const auto none = co_await list(server, secrets, ns);
    auto watch = co_await Watch::open(server, secrets, ns, "resourceVersion=" + version_of(none),
                                      kube::Accept::metadata_only);
    const auto made = co_await create(server, secrets, ns, secret("a", "MQ=="));
    co_await remove(server, secrets, ns, "a");
    for (const char* wanted : {"ADDED a", "DELETED a"}) {
        const Seen seen = co_await watch.next();
        check_equal(seen.str(), wanted, "event");
        check_equal(json::string_at(seen.object(), "kind"), "PartialObjectMetadata", "kind");
        check_equal(json::string_at(seen.object(), "apiVersion"), "meta.k8s.io/v1", "apiVersion");
        check_equal(uid_of(seen.object()), uid_of(made), "uid");
        check(json::find(seen.object(), "data") == nullptr, "its data");
    }
}

awaitable<void> watch_ends_in_order(Server& server, std::string ns) {
    const auto made = co_await create(server, secrets, ns, secret("a", "MQ=="));
    auto watch = co_await Watch::open(server, secrets, ns,
                                      "timeoutSeconds=2&resourceVersion=" + version_of(made));
    const auto began = server.runtime().now();
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    co_await watch.expect({"ADDED b", ""});
    check(server.runtime().now() - began > std::chrono::seconds(1), "too early");
}

// Only who asks gets them, and they are a place to go on from.
awaitable<void> bookmarks(Server& server, std::string ns) {
    const auto made = co_await create(server, secrets, ns, secret("a", "MQ=="));
    const std::string from = "timeoutSeconds=75&resourceVersion=" + version_of(made);
    auto with = co_await Watch::open(server, secrets, ns, from + "&allowWatchBookmarks=true");
    auto without = co_await Watch::open(server, secrets, ns, from);
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    co_await with.expect({"ADDED b"});
    const Seen bookmark = co_await with.next(std::chrono::seconds(90));
    check_equal(bookmark.str(), "BOOKMARK", "event");
    check_equal(json::string_at(bookmark.object(), "kind"), "Secret", "kind");
    check(json::find(bookmark.object(), {"metadata", "annotations"}) == nullptr,
          "the end of a list that nobody asked for");
    co_await create(server, secrets, ns, secret("c", "MQ=="));
    auto resumed = co_await Watch::open(server, secrets, ns, "resourceVersion=" + bookmark.version);
    co_await resumed.expect({"ADDED c"});
    co_await without.expect({"ADDED b", "ADDED c", ""});
}

awaitable<void> watch_too_old(Server& server, std::string ns) {
    auto stream = co_await server.client().watch(
        secrets.collection(ns) + "?watch=1&resourceVersion=1", kube::Accept::object);
    if (!stream) {
        refused(stream, 410);
        check(stream.error().kind == ErrorClass::expired, "the class of the error");
        co_return;
    }
    Watch watch(server.runtime(), std::move(*stream));
    const Seen seen = co_await watch.next();
    check_equal(seen.type, "ERROR", "event");
    check_equal(json::string_at(seen.object(), "kind"), "Status", "kind");
    check(number_at(seen.document, {"object", "code"}) == 410, "its code");
    co_await watch.expect({""});
}

awaitable<void> initial_events(Server& server, std::string ns) {
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    co_await create(server, secrets, ns, secret("gone", "MQ=="));
    co_await remove(server, secrets, ns, "gone");
    const auto last = co_await patch(server, secrets, ns, "a", R"({"data":{"value":"Mg=="}})");
    auto watch = co_await Watch::open(server, secrets, ns, std::string(streamed_list));
    for (const char* wanted : {"ADDED a", "ADDED b"}) {
        const Seen seen = co_await watch.next();
        check_equal(seen.str(), wanted, "event");
        check(seen.name != "a" || seen.object() == last, "the newest state");
    }
    const Seen end = co_await watch.next();
    check_equal(end.type, "BOOKMARK", "event");
    check_equal(
        json::string_at(end.object(), {"metadata", "annotations", "k8s.io/initial-events-end"}),
        "true", "the end of the list");
    check(!end.version.empty(), "its version");
    co_await create(server, secrets, ns, secret("c", "MQ=="));
    co_await remove(server, secrets, ns, "a");
    co_await watch.expect_changes({"ADDED c", "DELETED a"});
    auto resumed = co_await Watch::open(server, secrets, ns, "resourceVersion=" + end.version);
    co_await resumed.expect({"ADDED c", "DELETED a"});
}

awaitable<void> initial_events_of_a_selection(Server& server, std::string ns) {
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    co_await create(server, secrets, ns, secret("helm", "MQ==", "helm.sh/release.v1"));
    auto watch = co_await Watch::open(server, secrets, ns,
                                      std::string(streamed_list) +
                                          "&fieldSelector=type%21%3Dhelm.sh%2Frelease.v1",
                                      kube::Accept::metadata_only);
    for (const char* wanted : {"ADDED a", "BOOKMARK"}) {
        const Seen seen = co_await watch.next();
        check_equal(seen.str(), wanted, "event");
        check_equal(json::string_at(seen.object(), "kind"), "PartialObjectMetadata", "kind");
        check(json::find(seen.object(), "data") == nullptr, "its data");
    }
}

awaitable<void> initial_events_refused(Server& server, std::string ns) {
    for (const char* parameters : {"sendInitialEvents=true", "resourceVersionMatch=NotOlderThan"})
        refused(co_await server.client().watch(secrets.collection(ns) + "?watch=1&" + parameters,
                                               kube::Accept::object),
                422);
}

// Without bookmarks nothing says where the list ends.
awaitable<void> initial_events_without_bookmarks(Server& server, std::string ns) {
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    auto watch = co_await Watch::open(
        server, secrets, ns,
        "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=3");
    co_await watch.expect({"ADDED a"});
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    co_await watch.expect({"ADDED b", ""});
}

awaitable<void> watch_without_a_version(Server& server, std::string ns) {
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    for (const char* from : {"timeoutSeconds=30", "resourceVersion=0"}) {
        auto watch = co_await Watch::open(server, secrets, ns, from);
        co_await watch.expect({"ADDED a"});
        co_await create(server, secrets, ns, secret("b", "MQ=="));
        co_await remove(server, secrets, ns, "b");
        co_await watch.expect({"ADDED b", "DELETED b"});
    }
}

} // namespace

std::vector<Case> watch_cases() {
    return {{"events in their order", events_in_order},
            {"a watch goes on where one has ended", watch_goes_on},
            {"watches of a namespace and of all", watch_of_all_namespaces},
            {"a watch of metadata only", watch_metadata_only},
            {"a watch ends in order", watch_ends_in_order},
            {"bookmarks", bookmarks},
            {"410 for a version too old", watch_too_old},
            {"a list as a stream", initial_events},
            {"a selection as a stream", initial_events_of_a_selection},
            {"422 for half a streamed list", initial_events_refused},
            {"a streamed list without bookmarks", initial_events_without_bookmarks},
            {"a watch from any state", watch_without_a_version}};
}

} // namespace oco::conformance
