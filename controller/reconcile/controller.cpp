#include "reconcile/controller.hpp"

#include "base/log.hpp"
#include "base/mutation.hpp"
#include "reconcile/account/used_slots.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace oco::reconcile {
namespace {

// More than any one instance can keep waiting for Omni.
constexpr std::size_t connection_workers = 128;
constexpr std::size_t instance_workers = 8;
// A spec is often applied together with its Secret: one PATCH then serves both.
constexpr rt::Duration spec_settles = std::chrono::milliseconds(100);
// At the end of the process, for all statuses that are not up to date.
constexpr rt::Duration record_patience = std::chrono::seconds(1);

work::QueueHooks queue_hooks(ops::Metrics& metrics, std::string name) {
    return {.added = [&metrics, name] { metrics.work_added(name); },
            .delayed = [&metrics, name] { metrics.work_retried(name); },
            .started = [&metrics, name](double s) { metrics.work_started(name, ops::Seconds(s)); },
            .done =
                [&metrics, name](double s) {
                    metrics.work_done(name, ops::Seconds(s));
                }};
}

std::set<ObjectKey> secrets_of(const api::OmniConnection& object) {
    std::set<ObjectKey> out;
    if (object.credential)
        out.insert({.ns = object.meta.key.ns, .name = object.credential->secret.name});
    return out;
}

std::set<ObjectKey> secrets_of(const api::OmniInstance& object) {
    std::set<ObjectKey> out{{.ns = object.meta.key.ns, .name = object.api_token.name}};
    if (object.ca_bundle)
        out.insert({.ns = object.meta.key.ns, .name = object.ca_bundle->name});
    return out;
}

} // namespace

Controller::Controller(rt::Runtime& runtime, kube::Client& client, kube::EventRecorder& events,
                       ops::Metrics& metrics, boost::asio::thread_pool& offload, Settings settings,
                       kube::LeaderElector* elector)
    : runtime_(runtime), client_(client), settings_(std::move(settings)), metrics_(metrics),
      caches_([this](const auto& before, const auto& after) { connection_changed(before, after); },
              [this](const auto& before, const auto& after) { instance_changed(before, after); },
              [this](const auto& before, const auto& after) { secret_changed(before, after); },
              [this](const auto&, const auto&) { namespace_changed(); }),
      tasks_(runtime), progress_(runtime), elector_(elector) {
    const Services services{.runtime = runtime_,
                            .kube = client,
                            .events = events,
                            .metrics = metrics,
                            .offload = offload,
                            .settings = settings_,
                            .digest_key = digest_key_,
                            .leadership = leadership_};
    instances_ = std::make_unique<InstanceReconciler>(
        services, caches_, tasks_,
        InstanceReconciler::Hooks{
            .requeue_at = [this](const ObjectKey& key,
                                 rt::TimePoint when) { instance_queue_->add_at(key, when); },
            .requeue = [this](const ObjectKey& key) { instance_queue_->add(key); },
            .changed =
                [this](const ObjectKey& key) {
                    wake_connections_of(key);
                }});
    connections_ = std::make_unique<ConnectionReconciler>(
        services, caches_, *instances_, tasks_,
        ConnectionReconciler::Hooks{
            .requeue_at = [this](const ObjectKey& key,
                                 rt::TimePoint when) { connection_queue_->add_at(key, when); },
            .requeue = [this](const ObjectKey& key) { connection_queue_->add(key); },
            .claim = [this](const api::OmniConnection& object,
                            const api::Target& target) { claim(object, target); },
            .secret_seen =
                [this](const kube::ObjectMeta& meta) {
                    if (!caches_.secrets.get(meta.key))
                        caches_.secrets.put({.meta = meta});
                }});
    instance_queue_ = std::make_unique<work::Queue<ObjectKey>>(
        runtime_, instance_workers,
        [this](ObjectKey key) {
            return contained(instances_->reconcile(key), *instance_queue_, key);
        },
        queue_hooks(metrics, "omniinstance"));
    connection_queue_ = std::make_unique<work::Queue<ObjectKey>>(
        runtime_, connection_workers,
        [this](ObjectKey key) {
            return contained(connections_->reconcile(key), *connection_queue_, key);
        },
        queue_hooks(metrics, "omniconnection"));
}

// A defect that one object brings up must not stop the work for all others.
asio::awaitable<void> Controller::contained(asio::awaitable<void> reconcile,
                                            work::Queue<ObjectKey>& queue, ObjectKey key) {
    try {
        co_await std::move(reconcile);
    } catch (const std::exception& defect) {
        if (rt::is_cancellation(defect))
            throw;
        log::error("a defect of the operator", {{"object", key.str()}, {"error", defect.what()}});
        queue.add_at(key, runtime_.now() + std::chrono::seconds(30));
    }
}

// --- watching --------------------------------------------------------------------------------

template<class T>
void Controller::watch_one(kube::Store<T>& store, kube::WatchSpec spec,
                           std::function<bool(const ObjectKey&)> keep) {
    auto feed = std::make_unique<kube::StoreFeed<T>>(store, spec.ns, std::move(keep));
    auto watcher = std::make_unique<kube::Watcher>(runtime_, client_, std::move(spec), *feed,
                                                   [this] { progress_.notify(); });
    tasks_.spawn(watcher->run());
    feeds_.push_back(std::move(feed));
    watchers_.push_back(std::move(watcher));
}

template<class T>
void Controller::watch(kube::Store<T>& store, const kube::Resource& resource,
                       std::string_view field_selector, bool metadata_only,
                       std::function<bool(const ObjectKey&)> keep) {
    const std::vector<std::string> all{""};
    for (const auto& ns : settings_.namespaces.empty() ? all : settings_.namespaces)
        watch_one(store,
                  kube::WatchSpec{.resource = resource,
                                  .ns = ns,
                                  .field_selector = std::string(field_selector),
                                  .metadata_only = metadata_only},
                  keep);
}

asio::awaitable<void> Controller::run() {
    std::exception_ptr failure; // or a cancellation
    try {
        watch(caches_.instances, kube::resources::omni_instances, "", false);
        watch(caches_.connections, kube::resources::omni_connections, "", false);
        co_await wait_for_all(&kube::Watcher::synced);
        // The Secrets' store keeps what the objects name, so it is filled after them.
        watch(caches_.secrets, kube::resources::secrets, "type!=helm.sh/release.v1", true,
              [this](const ObjectKey& key) {
                  return caches_.connections_by_secret.used(key) ||
                         caches_.instances_by_secret.used(key);
              });
        co_await wait_for_all(&kube::Watcher::synced);
        co_await wait_digest_key();
        synced_ = true;
        log::info("synced", {{"connections", std::to_string(caches_.connections.objects().size())},
                             {"instances", std::to_string(caches_.instances.objects().size())}});
        co_await lead();
    } catch (...) {
        failure = std::current_exception();
    }
    tasks_.cancel();
    // What follows takes a second at most, and nothing may cut it short: tasks refer to this.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await tasks_.join();
    if (!failure)
        co_return; // the Lease is lost: another may lead, and what it writes is newer
    co_await record_rest();
    std::rethrow_exception(failure);
}

asio::awaitable<void> Controller::record_rest() {
    if (!started_) { // nothing was sent
        recorded_ = true;
        co_return;
    }
    if (elector_ != nullptr && !elector_->may_work_for(record_patience))
        co_return;
    recorded_ = co_await connections_->record_rest(record_patience);
}

// Without the right to watch namespaces, only the instances that select by label suffer.
bool Controller::is_waited_for(const kube::Watcher& watcher) const {
    return &watcher != caches_.namespace_watcher;
}

asio::awaitable<void> Controller::wait_for_all(bool (kube::Watcher::*state)() const) {
    const auto ready = [&](const auto& watcher) {
        return ((*watcher).*state)() || !is_waited_for(*watcher);
    };
    while (!std::ranges::all_of(watchers_, ready))
        co_await progress_.wait();
}

asio::awaitable<void> Controller::wait_digest_key() {
    const auto if_missing = settings_.dry_run ? IfMissing::make_up : IfMissing::create;
    for (;;) {
        auto key =
            co_await obtain_digest_key(runtime_, client_, settings_.operator_namespace, if_missing);
        if (key) {
            digest_key_ = std::move(*key);
            trouble_.clear();
            co_return;
        }
        trouble_ = key.error().message;
        log::warn("waiting for the digest key", {{"error", key.error().message}});
        co_await runtime_.sleep(std::chrono::seconds(2));
    }
}

// Returns when the Lease is lost.
asio::awaitable<void> Controller::lead() {
    if (elector_ == nullptr) {
        // A dry run takes the statuses at their word: nothing is sent on the strength of it.
        if (settings_.dry_run)
            leadership_.takeover = kube::Takeover::clean;
        work();
        co_return co_await tasks_.join();
    }
    leadership_ = {.elector = elector_, .takeover = co_await elector_->acquire()};
    log::info("leading",
              {{"takeover", leadership_.takeover == kube::Takeover::clean ? "clean" : "unclean"}});
    tasks_.spawn(take_over());
    co_await elector_->hold();
}

// A standby's view may lag behind what its predecessor has done: a watch can be dead without
// anybody knowing. What is sent goes by a view from after the Lease was ours.
asio::awaitable<void> Controller::take_over() {
    if (!mutated("no-refresh-at-take-over")) {
        for (const auto& watcher : watchers_)
            watcher->refresh();
        co_await wait_for_all(&kube::Watcher::fresh);
    }
    work();
}

void Controller::work() {
    instances_->inherit(used_by_host());
    started_ = true;
    for (const auto& [key, object] : caches_.instances.objects())
        instance_queue_->add(key);
    for (const auto& [key, object] : caches_.connections.objects())
        connection_queue_->add(key);
    tasks_.spawn(instance_queue_->run());
    tasks_.spawn(connection_queue_->run());
}

std::map<std::string, std::vector<rt::TimePoint>> Controller::used_by_host() const {
    std::map<std::string, std::vector<rt::TimePoint>> out;
    for (const auto& [key, object] : caches_.connections.objects())
        for (const auto until : used_slots(object->status, runtime_))
            out[object->status.applied.target.host].push_back(until);
    return out;
}

bool Controller::synced() const {
    return synced_;
}

void Controller::close() {
    instance_queue_->close();
    connection_queue_->close();
}

bool Controller::idle() const {
    return instance_queue_->running() == 0 && connection_queue_->running() == 0;
}

// --- what a change leads to --------------------------------------------------------------------

void Controller::connection_changed(const Connection& before, const Connection& after) {
    const ObjectKey key = after ? after->meta.key : before->meta.key;
    if (!after) {
        caches_.connections_by_secret.erase(key);
        caches_.connections_by_instance.erase(key);
        for (const auto& other : caches_.ownership.erase(key))
            connection_queue_->add(other);
        connection_queue_->add(key);
        instance_queue_->add(before->instance);
        return;
    }
    const bool same = before && before->meta.uid == after->meta.uid;
    if (same && before->meta.generation == after->meta.generation &&
        before->reconcile_requested_at == after->reconcile_requested_at &&
        before->force_requested_at == after->force_requested_at) {
        connections_->status_delivered(*after);
        return; // labels, or a status
    }
    caches_.connections_by_secret.set(key, secrets_of(*after));
    caches_.connections_by_instance.set(key, {after->instance});
    claim(*after, connections_->target_of(*after));
    if (!started_)
        return;
    const bool spec_changed = !same || before->meta.generation != after->meta.generation;
    if (spec_changed)
        connection_queue_->add_at(key, runtime_.now() + spec_settles);
    else
        connection_queue_->add(key);
    if (!same || before->instance != after->instance) {
        instance_queue_->add(after->instance);
        if (before)
            instance_queue_->add(before->instance);
    }
}

void Controller::claim(const api::OmniConnection& object, const api::Target& target) {
    for (const auto& other : caches_.ownership.set(
             object.meta.key,
             {.target = target, .created = object.meta.created, .fields = managed_fields(object)}))
        if (started_)
            connection_queue_->add(other);
}

void Controller::instance_changed(const Instance& before, const Instance& after) {
    const ObjectKey key = after ? after->meta.key : before->meta.key;
    if (after && before && before->meta.uid == after->meta.uid &&
        before->meta.generation == after->meta.generation) {
        instances_->status_delivered(*after);
        return;
    }
    if (after)
        caches_.instances_by_secret.set(key, secrets_of(*after));
    else
        caches_.instances_by_secret.erase(key);
    if (after && after->allowed_from == "Selector" && !watches_namespaces_) {
        watches_namespaces_ = true;
        watch_one(caches_.namespaces,
                  kube::WatchSpec{.resource = kube::resources::namespaces, .metadata_only = true},
                  {});
        caches_.namespace_watcher = watchers_.back().get();
    }
    for (const auto& user : caches_.connections_by_instance.users_of(key))
        if (const auto object = caches_.connections.get(user))
            claim(*object, connections_->target_of(*object));
    if (!started_)
        return;
    instances_->forget_backoff(key);
    instance_queue_->add(key);
    wake_connections_of(key);
}

void Controller::secret_changed(const Secret& before, const Secret& after) {
    if (!started_)
        return;
    const ObjectKey& key = after ? after->meta.key : before->meta.key;
    if (!after)
        connections_->secret_gone(key);
    for (const auto& user : caches_.instances_by_secret.users_of(key)) {
        instances_->forget_backoff(user);
        instance_queue_->add(user);
    }
    for (const auto& user : caches_.connections_by_secret.users_of(key)) {
        if (after)
            connections_->secret_changed(user);
        connection_queue_->add(user);
    }
}

void Controller::namespace_changed() {
    for (const auto& [key, instance] : caches_.instances.objects()) {
        if (instance->allowed_from != "Selector")
            continue;
        for (const auto& user : caches_.connections_by_instance.users_of(key))
            if (const auto object = caches_.connections.get(user))
                claim(*object, connections_->target_of(*object));
        if (started_)
            wake_connections_of(key);
    }
}

void Controller::wake_connections_of(const ObjectKey& instance) {
    for (const auto& user : caches_.connections_by_instance.users_of(instance))
        connection_queue_->add(user);
}

} // namespace oco::reconcile
