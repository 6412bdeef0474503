// What is watched, namespace by namespace, so that one that is gone or forbidden stops only itself.
#pragma once

#include "kube/watcher.hpp"
#include "ops/liveness.hpp"
#include "reconcile/cluster/caches.hpp"
#include "rt/task_group.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace oco::reconcile {

class Watches {
  public:
    // Fills `caches`, and keeps their `unread` up to date: `changed` is called with the namespace
    // whose entry is another, or gone. `tasks` are joined before any of these goes.
    Watches(rt::Runtime& runtime, kube::Client& client, const Settings& settings, Caches& caches,
            rt::TaskGroup& tasks, std::function<void(const std::string& ns)> changed);

    void begin();
    // The labels of namespaces, too. Nobody waits for them: without that right, only the
    // OmniInstances that select by label suffer.
    void begin_namespaces();

    // Lists everything again, for a new leader: until then, all is unread.
    void refresh();
    // Until a namespace is up to date, and each other one, too, unless the API server refuses it;
    // for one that fails in another way, for a minute at most.
    asio::awaitable<void> wait();

    // What is unread, and why; empty: nothing is.
    [[nodiscard]] std::string trouble() const;
    // The namespaces that are watched, and whether they are up to date; "": all.
    [[nodiscard]] std::map<std::string, bool> namespaces() const;

    // The newest that the views have been at, by their labels.
    using Versions = std::map<std::string, std::string>;

    [[nodiscard]] Versions versions() const;
    // Whether any view is at an older version than this: the API server was restored from a backup.
    [[nodiscard]] bool behind(const Versions& before) const;

    [[nodiscard]] const std::vector<std::unique_ptr<kube::Watcher>>& all() const {
        return watchers_;
    }

  private:
    struct Scope {
        Scope(rt::Runtime& runtime, std::string name) : ns(std::move(name)), changed(runtime) {}

        std::string ns;
        std::vector<kube::Watcher*> watchers; // OmniInstances, OmniConnections, then Secrets
        rt::Event changed;
        bool refused = false; // since it was up to date
    };

    template<class T>
    kube::Watcher* watch(kube::Store<T>& store, kube::WatchSpec spec,
                         std::function<void()> on_change,
                         std::function<bool(const ObjectKey&)> keep = {});
    asio::awaitable<void> keep(Scope& scope);
    [[nodiscard]] bool up_to_date(const Scope& scope) const;
    [[nodiscard]] std::optional<Unread> unread(const Scope& scope) const;
    void note(Scope& scope);

    rt::Runtime& runtime_;
    kube::Client& client_;
    const Settings& settings_;
    Caches& caches_;
    rt::TaskGroup& tasks_;
    std::function<void(const std::string& ns)> changed_;
    std::vector<std::unique_ptr<kube::WatchSink>> feeds_;
    std::vector<std::unique_ptr<kube::Watcher>> watchers_;
    std::vector<std::unique_ptr<Scope>> scopes_;
    rt::Event progress_;
};

} // namespace oco::reconcile
