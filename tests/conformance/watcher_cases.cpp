// kube::Watcher and kube::Store, as the operator uses them.
#include "kube/secret.hpp"
#include "kube/store.hpp"
#include "steps.hpp"

#include <algorithm>

namespace oco::conformance {
namespace {

using asio::awaitable;
using namespace kube::resources;

// A view of the Secrets of one namespace, and what its listener was told.
class View {
  public:
    View(Server& server, const std::string& ns)
        : server_(server), ns_(ns), store_([this](const auto& before, const auto& after) {
              const std::string name = (after ? after : before)->meta.key.name;
              told.push_back((!before ? "+" : after ? "~" : "-") + name);
          }),
          feed_(store_, ns), watcher_(server.runtime(), server.client(),
                                      {.resource = secrets,
                                       .ns = ns,
                                       .field_selector = "type!=helm.sh/release.v1",
                                       .metadata_only = true},
                                      feed_, [this] { ++lists; }) {}

    View(const View&) = delete;
    View& operator=(const View&) = delete;
    ~View() = default;

    kube::Watcher& watcher() { return watcher_; }

    awaitable<void> synced(int wanted) {
        return wait_until(
            server_.runtime(), [this, wanted] { return lists >= wanted && watcher_.fresh(); },
            "the list");
    }

    // All that the listener is told in the end.
    awaitable<void> expect(std::vector<std::string> wanted) {
        co_await wait_until(
            server_.runtime(), [&] { return told.size() >= wanted.size(); },
            "changes: " + std::to_string(wanted.size()));
        check_equal(told, wanted, "changes");
        check(watcher_.trouble().empty(), watcher_.trouble());
    }

    [[nodiscard]] std::string version(const std::string& name) const {
        const auto object = store_.get({.ns = ns_, .name = name});
        return object ? object->meta.resource_version : "";
    }

    int lists = 0;
    std::vector<std::string> told;

  private:
    Server& server_;
    std::string ns_;
    kube::Store<kube::SecretMeta> store_;
    kube::StoreFeed<kube::SecretMeta> feed_;
    kube::Watcher watcher_;
};

awaitable<void> follow(Server& server, View& view, std::string ns) {
    co_await view.synced(1);
    co_await view.expect({"+a"});
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    co_await create(server, secrets, ns, secret("helm-2", "MQ==", "helm.sh/release.v1"));
    const auto changed = co_await patch(server, secrets, ns, "a", R"({"data":{"value":"Mg=="}})");
    co_await remove(server, secrets, ns, "helm-1");
    co_await remove(server, secrets, ns, "b");
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    co_await view.expect({"+a", "+b", "~a", "-b", "+b"});
    check_equal(view.version("a"), version_of(changed), "version");
    check_equal(view.version("b"), version_of(co_await get(server, secrets, ns, "b")), "version");
    check(view.lists == 1, "more than one list");
}

awaitable<void> watcher_follows(Server& server, std::string ns) {
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    co_await create(server, secrets, ns, secret("helm-1", "MQ==", "helm.sh/release.v1"));
    View view(server, ns);
    co_await beside(server.runtime(), view.watcher().run(), follow(server, view, ns));
}

awaitable<void> list_again(Server& server, View& view, std::string ns) {
    co_await view.synced(1);
    check(view.watcher().fresh(), "fresh after the first list");
    // The stream is closed before it can tell of these: the list has to.
    view.watcher().refresh();
    check(!view.watcher().fresh(), "fresh before the new list");
    co_await remove(server, secrets, ns, "a");
    const auto changed = co_await patch(server, secrets, ns, "b", R"({"data":{"value":"Mg=="}})");
    view.watcher().refresh();
    co_await view.synced(2);
    co_await wait_until(
        server.runtime(), [&] { return view.version("b") == version_of(changed); }, "b");
    check_equal(view.version("a"), "", "version of what was deleted");
    check(std::ranges::count(view.told, "+a") == 1 && std::ranges::count(view.told, "+b") == 1,
          "added once each");
    // And it goes on.
    co_await remove(server, secrets, ns, "b");
    co_await wait_until(
        server.runtime(), [&] { return view.version("b").empty(); }, "b is deleted");
    check(std::ranges::count(view.told, "-a") == 1, "deleted once");
}

awaitable<void> watcher_refreshes(Server& server, std::string ns) {
    co_await create(server, secrets, ns, secret("a", "MQ=="));
    co_await patch(server, secrets, ns, "a", R"({"metadata":{"labels":{"x":"y"}}})");
    co_await create(server, secrets, ns, secret("b", "MQ=="));
    View view(server, ns);
    co_await beside(server.runtime(), view.watcher().run(), list_again(server, view, ns));
}

} // namespace

std::vector<Case> watcher_cases() {
    return {{"a Watcher follows", watcher_follows}, {"a Watcher lists again", watcher_refreshes}};
}

} // namespace oco::conformance
