#include "reconcile/cluster/watches.hpp"

#include "base/log.hpp"
#include "reconcile/cluster/ownership.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {
namespace {

// OmniInstances, OmniConnections, Secrets.
constexpr std::size_t all_kinds = 3;
// An API server that starts may refuse what it allows a moment later.
constexpr rt::Duration refusal_counts_after = std::chrono::minutes(1);
// Of a namespace that fails, though nobody refuses it. A refusal is final enough.
constexpr rt::Duration patience = longest_doubt;
constexpr std::string_view being_listed = "it is being listed";

} // namespace

Watches::Watches(rt::Runtime& runtime, kube::Client& client, const Settings& settings,
                 Caches& caches, rt::TaskGroup& tasks,
                 std::function<void(const std::string& ns)> changed)
    : runtime_(runtime), client_(client), settings_(settings), caches_(caches), tasks_(tasks),
      changed_(std::move(changed)), progress_(runtime) {}

template<class T>
kube::Watcher* Watches::watch(kube::Store<T>& store, kube::WatchSpec spec,
                              std::function<void()> on_change,
                              std::function<bool(const ObjectKey&)> keep) {
    feeds_.push_back(std::make_unique<kube::StoreFeed<T>>(store, spec.ns, std::move(keep)));
    watchers_.push_back(std::make_unique<kube::Watcher>(runtime_, client_, std::move(spec),
                                                        *feeds_.back(), on_change, on_change));
    kube::Watcher* watcher = watchers_.back().get();
    tasks_.spawn(watcher->run());
    return watcher;
}

void Watches::begin() {
    const std::vector<std::string> all{""};
    for (const auto& ns : settings_.namespaces.empty() ? all : settings_.namespaces) {
        scopes_.push_back(std::make_unique<Scope>(runtime_, ns));
        tasks_.spawn(keep(*scopes_.back()));
    }
}

void Watches::begin_namespaces() {
    if (caches_.namespace_watcher == nullptr)
        caches_.namespace_watcher =
            watch(caches_.namespaces,
                  {.resource = kube::resources::namespaces, .metadata_only = true}, [] {});
}

asio::awaitable<void> Watches::keep(Scope& scope) {
    const auto on_change = [&scope] {
        scope.changed.notify();
    };
    scope.watchers = {
        watch(caches_.instances,
              {.resource = kube::resources::omni_instances, .ns = scope.ns, .field_selector = ""},
              on_change),
        watch(caches_.connections,
              {.resource = kube::resources::omni_connections, .ns = scope.ns, .field_selector = ""},
              on_change)};
    for (;;) {
        // The Secrets' store keeps what the objects name, so it is filled after them.
        if (scope.watchers.size() < all_kinds &&
            std::ranges::all_of(scope.watchers, &kube::Watcher::synced))
            scope.watchers.push_back(watch(caches_.secrets,
                                           {.resource = kube::resources::secrets,
                                            .ns = scope.ns,
                                            .field_selector = "type!=helm.sh/release.v1",
                                            .metadata_only = true},
                                           on_change, [this](const ObjectKey& key) {
                                               return caches_.connections_by_secret.used(key) ||
                                                      caches_.instances_by_secret.used(key);
                                           }));
        note(scope);
        const bool refused = std::ranges::any_of(scope.watchers, [](const auto* watcher) {
            return watcher->refused_since().has_value();
        });
        if (refused)
            co_await scope.changed.wait_until(runtime_, runtime_.now() + refusal_counts_after);
        else
            co_await scope.changed.wait();
    }
}

bool Watches::up_to_date(const Scope& scope) const {
    return scope.watchers.size() == all_kinds &&
           std::ranges::all_of(scope.watchers, &kube::Watcher::fresh);
}

std::optional<Unread> Watches::unread(const Scope& scope) const {
    for (const auto* watcher : scope.watchers)
        if (const auto since = watcher->refused_since();
            since && (!watcher->fresh() || runtime_.now() >= *since + refusal_counts_after))
            return Unread{.why = watcher->trouble(), .refused = true};
    if (up_to_date(scope))
        return std::nullopt;
    for (const auto* watcher : scope.watchers)
        if (!watcher->fresh() && !watcher->trouble().empty())
            return Unread{.why = watcher->trouble()};
    return Unread{.why = std::string(being_listed)};
}

void Watches::note(Scope& scope) {
    const auto now = unread(scope);
    const auto known = caches_.unread.find(scope.ns);
    const bool same = now ? known != caches_.unread.end() && known->second == *now
                          : known == caches_.unread.end();
    if (!same) {
        if (!now && std::exchange(scope.refused, false))
            log::info("the namespace can be watched again", {{"namespace", scope.ns}});
        scope.refused |= now && now->refused;
        if (now)
            caches_.unread.insert_or_assign(scope.ns, *now);
        else
            caches_.unread.erase(known);
        changed_(scope.ns);
    }
    progress_.notify();
}

void Watches::refresh() {
    for (const auto& watcher : watchers_)
        watcher->refresh();
    for (const auto& scope : scopes_)
        note(*scope);
}

asio::awaitable<void> Watches::wait() {
    std::optional<rt::TimePoint> first; // when a namespace was up to date
    for (;;) {
        const auto current = [this](const auto& scope) {
            return up_to_date(*scope);
        };
        const auto done = [&](const auto& scope) {
            const auto known = caches_.unread.find(scope->ns);
            return current(scope) || (known != caches_.unread.end() && known->second.refused);
        };
        if (!first && std::ranges::any_of(scopes_, current))
            first = runtime_.now();
        if (first && (std::ranges::all_of(scopes_, done) || runtime_.now() >= *first + patience))
            co_return;
        if (first)
            co_await progress_.wait_until(runtime_, *first + patience);
        else
            co_await progress_.wait();
    }
}

std::string Watches::trouble() const {
    std::string out;
    for (const auto& scope : scopes_)
        if (const auto now = unread(*scope); now && now->why != being_listed)
            out.append(out.empty() ? "" : "; ").append(now->why);
    return out;
}

std::map<std::string, bool> Watches::namespaces() const {
    std::map<std::string, bool> out;
    for (const auto& scope : scopes_)
        out[scope->ns] = !caches_.unread.contains(scope->ns);
    return out;
}

Watches::Versions Watches::versions() const {
    Versions out;
    for (const auto& watcher : watchers_)
        if (!watcher->newest_version().empty())
            out.emplace(watcher->label(), watcher->newest_version());
    return out;
}

bool Watches::behind(const Versions& before) const {
    return std::ranges::any_of(watchers_, [&](const auto& watcher) {
        const auto known = before.find(watcher->label());
        return known != before.end() && kube::is_older_version(watcher->version(), known->second);
    });
}

} // namespace oco::reconcile
