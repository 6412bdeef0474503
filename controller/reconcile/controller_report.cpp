// What a Controller reports about itself, to Prometheus and to the kubelet.
#include "reconcile/controller.hpp"

#include <map>

namespace oco::reconcile {
namespace {

// Of a resource that is watched in several namespaces, the watch that has been silent longest.
std::map<std::string, rt::TimePoint>
oldest_activity(const std::vector<std::unique_ptr<kube::Watcher>>& watchers) {
    std::map<std::string, rt::TimePoint> out;
    for (const auto& watcher : watchers) {
        const auto [entry, first] = out.emplace(watcher->resource(), watcher->heard_at());
        entry->second = std::min(entry->second, watcher->heard_at());
    }
    return out;
}

} // namespace

std::string Controller::trouble() const {
    const std::string unread = watches_.trouble();
    std::string out;
    for (const std::string& text :
         {trouble_, crds_.trouble(), unread,
          std::string(statuses_->contested(runtime_.now())
                          ? "somebody else, such as a second operator, keeps writing statuses"
                          : "")})
        if (!text.empty())
            out.append(out.empty() ? "" : "; ").append(text);
    return out;
}

std::vector<ops::WatchLife> Controller::watches() const {
    std::vector<ops::WatchLife> out;
    for (const auto& watcher : watches_.all())
        if (watcher->synced())
            out.push_back({.name = watcher->label(), .answered_at = watcher->answered_at()});
    return out;
}

ops::Snapshot Controller::snapshot() const {
    ops::Snapshot out;
    if (elector_ != nullptr)
        metrics_.leader(elector_->name(), elector_->may_work_for(rt::Duration::zero()));
    std::map<std::pair<std::string, std::string>, std::size_t> counts;
    std::map<ObjectKey, ops::Snapshot::Instance> instances;
    for (const auto& [key, state] : instances_->states()) {
        const bool held_back = state->outcome.reason == reason::unauthorized ||
                               (state->client && state->client->account->scheduler.breaker_open());
        instances[key] = {.instance = key.str(),
                          .rate_limit_remaining =
                              state->client ? state->client->account->scheduler.remaining() : 0,
                          .breaker = held_back ? ops::Breaker::open : ops::Breaker::closed};
    }
    for (const auto& [key, state] : connections_->states()) {
        const auto object = caches_.connections.get(key);
        if (!object)
            continue;
        if (const auto* ready = kube::find_condition(state->status.conditions, "Ready"))
            ++counts[{ready->status, ready->reason}];
        if (const auto pushed = parse_rfc3339(state->status.last_push_time))
            out.last_pushes.push_back({.connection = key.str(), .time = *pushed});
        if (const auto& credential = state->status.applied.credential)
            if (const auto pushed = parse_rfc3339(credential->pushed_at))
                out.credential_pushes.push_back({.connection = key.str(), .time = *pushed});
        const auto instance = instances.find(object->instance);
        if (state->pending_since && instance != instances.end())
            instance->second.oldest_pending =
                std::max(instance->second.oldest_pending,
                         ops::Seconds(runtime_.now() - *state->pending_since));
    }
    for (const auto& [key, count] : counts)
        out.connections.push_back({.ready = key.first, .reason = key.second, .count = count});
    for (auto& [key, instance] : instances)
        out.instances.push_back(std::move(instance));
    for (const auto& [resource, heard_at] : oldest_activity(watches_.all()))
        out.watches.push_back(
            {.resource = resource,
             .last_activity = runtime_.wall_now() - std::chrono::duration_cast<WallTime::duration>(
                                                        runtime_.now() - heard_at)});
    if (!settings_.namespaces.empty())
        for (const auto& [ns, up_to_date] : watches_.namespaces())
            out.namespaces.push_back({.name = ns, .up_to_date = up_to_date});
    out.queues.push_back({.name = "omniconnection", .depth = connection_queue_->depth()});
    out.queues.push_back({.name = "omniinstance", .depth = instance_queue_->depth()});
    return out;
}

} // namespace oco::reconcile
