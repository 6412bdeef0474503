#include "reconcile/controller.hpp"

#include "base/log.hpp"
#include "base/mutation.hpp"
#include "kube/namespace.hpp"
#include "reconcile/account/used_slots.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace oco::reconcile {
namespace {

// More than any one API key can keep waiting for Omni; and as many that hosts keep waiting as the
// memory allows for, some 30 KiB each.
constexpr work::QueueLimits workers{.running = 128, .slow = 384};
// A spec is often applied together with its Secret: one PATCH then serves both.
constexpr rt::Duration spec_delay = std::chrono::milliseconds(100);
// Tools that replace a Secret delete it, and create it again at once.
constexpr rt::Duration deletion_delay = std::chrono::seconds(1);
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

std::string namespace_of(const ObjectKey& key) {
    return key.ns;
}

std::unique_ptr<StatusSink> make_status_sink(rt::Runtime& runtime, kube::Client& client,
                                             bool dry_run) {
    if (dry_run)
        return std::make_unique<ForgetfulStatusSink>();
    return std::make_unique<KubeStatusSink>(runtime, client);
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
                       ops::Metrics& metrics, Settings settings, kube::LeaderElector* elector,
                       Handover before)
    : runtime_(runtime), client_(client), settings_(std::move(settings)),
      statuses_(make_status_sink(runtime, client, settings_.dry_run)), metrics_(metrics),
      caches_([this](const auto& before, const auto& after) { connection_changed(before, after); },
              [this](const auto& before, const auto& after) { instance_changed(before, after); },
              [this](const auto& before, const auto& after) { secret_changed(before, after); },
              [this](const auto& before, const auto& after) { namespace_changed(before, after); }),
      tasks_(runtime), secret_reader_(runtime, client, tasks_),
      watches_(runtime, client, settings_, caches_, tasks_,
               [this](const std::string& ns) { watch_state_changed(ns); }),
      crds_(runtime, client), elector_(elector), versions_before_(std::move(before.versions)) {
    const Services services{.runtime = runtime_,
                            .kube = client,
                            .secrets = secret_reader_,
                            .events = events,
                            .metrics = metrics,
                            .settings = settings_,
                            .digest_key = digest_key_,
                            .leadership = leadership_,
                            .statuses = *statuses_};
    instances_ = std::make_unique<InstanceReconciler>(
        services, caches_, tasks_,
        InstanceReconciler::Hooks{
            .requeue_at = [this](const ObjectKey& key,
                                 rt::TimePoint when) { instance_queue_->add_at(key, when); },
            .requeue = [this](const ObjectKey& key) { instance_queue_->add(key); },
            .changed =
                [this](const ObjectKey& key) {
                    connections_->instance_changed(key);
                    wake_connections_of(key);
                }});
    instances_->resume(std::move(before.spent));
    connections_ = std::make_unique<ConnectionReconciler>(
        services, caches_, *instances_, tasks_,
        ConnectionReconciler::Hooks{
            .requeue_at = [this](const ObjectKey& key,
                                 rt::TimePoint when) { connection_queue_->add_at(key, when); },
            .requeue = [this](const ObjectKey& key) { connection_queue_->add(key); },
            .secret_seen =
                [this](const kube::ObjectMeta& meta) {
                    caches_.secrets.put_read({.meta = meta});
                }});
    instance_queue_ = std::make_unique<work::Queue<ObjectKey>>(
        runtime_, workers,
        [this](ObjectKey key) {
            return contained(instances_->reconcile(key), *instance_queue_, key);
        },
        queue_hooks(metrics, "omniinstance"), namespace_of);
    connection_queue_ = std::make_unique<work::Queue<ObjectKey>>(
        runtime_, workers,
        [this](ObjectKey key) {
            return contained(connections_->reconcile(key), *connection_queue_, key);
        },
        queue_hooks(metrics, "omniconnection"), namespace_of);
}

// A defect that one object brings up must not stop the work for all others.
asio::awaitable<void> Controller::contained(asio::awaitable<void> reconcile,
                                            work::Queue<ObjectKey>& queue, ObjectKey key) {
    try {
        co_await std::move(reconcile);
    } catch (const std::exception& defect) {
        if (rt::is_cancellation(defect))
            throw;
        log::error("unexpected exception", {{"object", key.str()}, {"error", defect.what()}});
        queue.add_at(key, runtime_.now() + std::chrono::seconds(30));
    }
}

asio::awaitable<void> Controller::run() {
    std::exception_ptr failure; // or a cancellation
    try {
        // A task of its own: if any other fails, it must not go on, with the Lease held.
        tasks_.spawn(begin());
        co_await tasks_.join();
    } catch (...) {
        failure = std::current_exception();
    }
    tasks_.cancel();
    // What follows takes a second at most, and nothing may cut it short: tasks refer to this.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await tasks_.join();
    if (!failure) { // the Lease is lost: another may lead, and what it writes is newer
        co_await asio::this_coro::reset_cancellation_state();
        co_return;
    }
    co_await flush_statuses();
    std::rethrow_exception(failure);
}

asio::awaitable<void> Controller::begin() {
    watches_.begin();
    co_await watches_.wait();
    co_await crds_.wait();
    co_await wait_digest_key();
    synced_ = true;
    log::info("synced", {{"connections", std::to_string(caches_.connections.objects().size())},
                         {"instances", std::to_string(caches_.instances.objects().size())}});
    if (const auto trouble = watches_.trouble(); !trouble.empty())
        log::warn("what cannot be watched is left out until it can be", {{"error", trouble}});
    tasks_.spawn(report_missing_namespaces());
    tasks_.spawn(crds_.follow());
    co_await lead();
}

asio::awaitable<void> Controller::flush_statuses() {
    if (!started_) { // nothing was sent: what the process before left stands
        if (leadership_.all_is_recorded())
            unsettled_ = leadership_.unsettled;
        co_return;
    }
    if (elector_ != nullptr && !elector_->may_work_for(record_patience))
        co_return;
    if (co_await connections_->flush_statuses(record_patience))
        unsettled_ = connections_->unsettled();
}

// Of a namespace that does not exist, the API server lists nothing, and watches it without a word.
asio::awaitable<void> Controller::report_missing_namespaces() {
    for (const std::string& ns : settings_.namespaces) {
        const auto in_it = [&ns](const auto& entry) {
            return entry.first.ns == ns;
        };
        if (std::ranges::any_of(caches_.connections.objects(), in_it) ||
            std::ranges::any_of(caches_.instances.objects(), in_it))
            continue;
        if (co_await kube::look_up_namespace(client_, ns) == kube::NamespaceState::absent)
            log::warn("a namespace given with --namespace does not exist",
                      {{"namespace", ns},
                       {"advice", "create it (kubectl create namespace " + ns +
                                      "), and it is watched; or correct --namespace"}});
    }
}

asio::awaitable<void> Controller::wait_digest_key() {
    const auto if_missing = settings_.dry_run ? IfMissing::make_up : IfMissing::create;
    for (;;) {
        auto key =
            co_await obtain_digest_key(runtime_, client_, settings_.operator_namespace, if_missing);
        if (key) {
            digest_key_ = std::move(*key);
            if (digest_key_.made_up)
                log::warn("no digest key can be read: a Secret counts as changed when its version "
                          "differs, even if only a label changed; name the operator's namespace "
                          "with --operator-namespace",
                          {{"namespace", settings_.operator_namespace}});
            trouble_.clear();
            co_return;
        }
        const bool news = trouble_ != key.error().message;
        trouble_ = key.error().message;
        log::write(news ? log::Level::warn : log::Level::debug, "waiting for the digest key",
                   {{"error", trouble_}});
        co_await runtime_.sleep(std::chrono::seconds(2));
    }
}

// Ends all when the Lease is lost.
asio::awaitable<void> Controller::lead() {
    if (elector_ == nullptr) {
        // A dry run takes the statuses at their word: nothing is sent on the strength of it.
        if (settings_.dry_run)
            leadership_.takeover = kube::Takeover::clean;
        work();
        co_return;
    }
    leadership_ = {.elector = elector_, .takeover = co_await elector_->acquire()};
    if (leadership_.takeover == kube::Takeover::unsettled)
        leadership_.unsettled = elector_->unsettled();
    log::info("leading", {{"takeover", std::string(name(leadership_.takeover))}});
    tasks_.spawn(take_over());
    co_await elector_->hold();
    tasks_.cancel();
}

// A standby's view may lag behind what its predecessor has done: a watch can be dead without
// anybody knowing. What is sent goes by a view from after the Lease was ours.
asio::awaitable<void> Controller::take_over() {
    if (!mutated("no-refresh-at-take-over")) {
        watches_.refresh();
        co_await watches_.wait();
    }
    work();
}

Handover Controller::handover() const {
    Watches::Versions versions = watches_.versions();
    if (!started_) // what the one before knew was not looked at
        for (const auto& [view, version] : versions_before_)
            if (auto& known = versions[view];
                known.empty() || kube::is_older_version(known, version))
                known = version;
    return {.spent = instances_->budgets(), .versions = std::move(versions)};
}

void Controller::work() {
    leadership_.rewound = watches_.behind(versions_before_);
    if (leadership_.rewound)
        log::warn("the API server is at an older version than before, as if it was restored from a "
                  "backup: no status is believed, and everything is sent again");
    if (elector_ == nullptr || !elector_->resumed()) // else all that counts was spent here
        instances_->inherit(used_by_host());
    connections_->begin();
    started_ = true;
    for (const auto& [key, object] : caches_.instances.objects())
        instance_queue_->add_in_background(key);
    for (const auto& [key, object] : caches_.connections.objects())
        connection_queue_->add_in_background(key);
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
        connections_->object_changed(key, nullptr);
        if (started_) {
            connection_queue_->add(key);
            instance_queue_->add(before->instance);
        }
        return;
    }
    const bool same = before && before->meta.uid == after->meta.uid;
    if (same && before->meta.generation == after->meta.generation &&
        before->reconcile_requested_at == after->reconcile_requested_at &&
        before->force_requested_at == after->force_requested_at &&
        before->meta.deleting == after->meta.deleting) {
        connections_->status_delivered(*after);
        return; // labels, or a status
    }
    caches_.connections_by_secret.set(key, secrets_of(*after));
    caches_.connections_by_instance.set(key, {after->instance});
    connections_->object_changed(key, after.get());
    if (!started_)
        return;
    const bool spec_changed = !same || before->meta.generation != after->meta.generation;
    if (spec_changed)
        connection_queue_->add_at(key, runtime_.now() + spec_delay);
    else
        connection_queue_->add(key);
    if (!same || before->instance != after->instance) {
        instance_queue_->add(after->instance);
        if (before)
            instance_queue_->add(before->instance);
    }
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
    if (after && after->allowed_from == "Selector")
        watches_.begin_namespaces();
    connections_->instance_changed(key);
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
    const auto now = runtime_.now();
    const auto when = after ? secret_pace_.next(key, now) : now + deletion_delay;
    const auto add = [&](work::Queue<ObjectKey>& queue, const ObjectKey& user) {
        if (when <= now)
            queue.add(user);
        else
            queue.add_at(user, when);
    };
    for (const auto& user : caches_.instances_by_secret.users_of(key)) {
        instances_->forget_backoff(user);
        add(*instance_queue_, user);
    }
    for (const auto& user : caches_.connections_by_secret.users_of(key)) {
        if (after)
            connections_->secret_changed(user);
        add(*connection_queue_, user);
    }
}

// A namespace ("": all) is up to date now, or not any more.
void Controller::watch_state_changed(const std::string& ns) {
    if (!started_)
        return;
    connections_->namespaces_read();
    for (const auto& [key, object] : caches_.instances.objects())
        if (ns.empty() || key.ns == ns)
            instance_queue_->add_in_background(key);
    for (const auto& [key, object] : caches_.connections.objects())
        if (ns.empty() || key.ns == ns || object->instance.ns == ns)
            connection_queue_->add_in_background(key);
}

// Its labels decide whether its objects may use the OmniInstances that select by them.
void Controller::namespace_changed(const Namespace& before, const Namespace& after) {
    if (before && after && before->labels == after->labels)
        return;
    const std::string& ns = (after ? after : before)->meta.key.name;
    for (const auto& [key, instance] : caches_.instances.objects()) {
        if (instance->allowed_from != "Selector")
            continue;
        connections_->instance_changed(key, ns);
        if (!started_)
            continue;
        for (const auto& user : caches_.connections_by_instance.users_of(key))
            if (user.ns == ns)
                connection_queue_->add_in_background(user);
    }
}

void Controller::wake_connections_of(const ObjectKey& instance) {
    for (const auto& user : caches_.connections_by_instance.users_of(instance))
        connection_queue_->add_in_background(user);
}

} // namespace oco::reconcile
