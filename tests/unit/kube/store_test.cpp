// A relist yields the deletes that were missed.
#include "kube/secret.hpp"
#include "kube/store.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace oco;
using namespace oco::kube;

namespace {

json::Document object(const std::string& name, const std::string& version,
                      const std::string& uid = "u", const std::string& ns = "a") {
    auto document =
        json::parse(R"({"metadata":{"namespace":")" + ns + R"(","name":")" + name + R"(","uid":")" +
                    uid + R"(","resourceVersion":")" + version + "\"}}");
    REQUIRE(document.has_value());
    return std::move(*document);
}

struct StoreFixture {
    std::multiset<std::string> heard;
    Store<SecretMeta> store{[this](const auto& before, const auto& after) {
        heard.insert((after ? after : before)->meta.key.name + (!before  ? " new"
                                                                : !after ? " gone"
                                                                         : " changed"));
    }};
    StoreFeed<SecretMeta> feed{store, ""};

    void list(const std::vector<json::Document>& objects) {
        feed.list_begins();
        for (const auto& item : objects)
            feed.listed(item);
        feed.list_ends();
    }
};

} // namespace

TEST_CASE_FIXTURE(StoreFixture, "a list, events, and a list that misses one") {
    std::vector<json::Document> first;
    first.push_back(object("one", "1"));
    first.push_back(object("two", "2"));
    list(first);
    feed.changed(object("one", "3"));
    feed.changed(object("one", "3")); // repeated
    CHECK(heard == std::multiset<std::string>{"one new", "two new", "one changed"});
    heard.clear();
    std::vector<json::Document> second;
    second.push_back(object("one", "3"));
    second.push_back(object("three", "4"));
    list(second);
    CHECK(heard == std::multiset<std::string>{"three new", "two gone"});
}

TEST_CASE_FIXTURE(StoreFixture, "what a list finds unchanged stays the same object") {
    feed.changed(object("one", "1"));
    const auto known = store.get({.ns = "a", .name = "one"});
    std::vector<json::Document> again;
    again.push_back(object("one", "1"));
    list(again);
    CHECK(store.get({.ns = "a", .name = "one"}) == known);
}

TEST_CASE_FIXTURE(StoreFixture,
                  "a list changes nothing before its end, and nothing if it has none") {
    feed.changed(object("one", "1"));
    heard.clear();
    feed.list_begins();
    feed.listed(object("two", "2"));
    CHECK(heard.empty());
    feed.list_begins(); // the first has failed
    feed.listed(object("three", "3"));
    feed.listed(object("four", "4"));
    feed.deleted(object("four", "5")); // meanwhile
    feed.list_ends();
    CHECK(heard == std::multiset<std::string>{"one gone", "three new"});
}

TEST_CASE_FIXTURE(StoreFixture,
                  "a delete of an earlier incarnation is not taken for the new one's") {
    feed.changed(object("one", "1", "old"));
    feed.changed(object("one", "5", "new"));
    feed.deleted(object("one", "4", "old"));
    CHECK(store.get({.ns = "a", .name = "one"}) != nullptr);
    feed.deleted(object("one", "6", "new"));
    CHECK(store.get({.ns = "a", .name = "one"}) == nullptr);
}

TEST_CASE("a feed of one namespace leaves the others alone, and keeps what is wanted") {
    Store<SecretMeta> store{[](const auto&, const auto&) {
    }};
    StoreFeed<SecretMeta> a(store, "a", [](const ObjectKey& key) { return key.name != "no"; });
    StoreFeed<SecretMeta> b(store, "b");
    b.changed(object("x", "1", "u", "b"));
    a.list_begins();
    a.listed(object("yes", "2"));
    a.listed(object("no", "3"));
    a.list_ends();
    CHECK(store.objects().size() == 2);
    a.list_begins();
    a.list_ends();
    CHECK(store.objects().size() == 1);
}

TEST_CASE("what nobody wants any more is up to date when somebody wants it again") {
    bool wanted = true;
    Store<SecretMeta> store{[](const auto&, const auto&) {
    }};
    StoreFeed<SecretMeta> feed(store, "", [&wanted](const ObjectKey&) { return wanted; });
    feed.changed(object("one", "1"));
    wanted = false;
    feed.changed(object("one", "2"));
    feed.changed(object("two", "3"));
    wanted = true;
    const auto known = store.get({.ns = "a", .name = "one"});
    CHECK((known == nullptr || known->meta.resource_version == "2"));
    CHECK(store.get({.ns = "a", .name = "two"}) == nullptr);
    feed.deleted(object("one", "4"));
    CHECK(store.get({.ns = "a", .name = "one"}) == nullptr);
}
