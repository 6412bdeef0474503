#include "work/fair_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace oco::work {

bool FairQueue::is_fresh_push(const Request& request) {
    return !request.failing && traits(request.request_class).push;
}

FairQueue::Rank FairQueue::rank_of(const Waiter& waiter) {
    return {traits(waiter.request.request_class).order, waiter.arrival, waiter.request.key};
}

void FairQueue::insert(const Waiter& waiter) {
    Lane& its = lane(waiter.request.request_class);
    its.flows[waiter.request.flow].emplace(waiter.arrival, waiter.request.key);
    ++its.size;
    if (is_fresh_push(waiter.request))
        fresh_pushes_.insert(rank_of(waiter));
}

void FairQueue::erase(const Waiter& waiter) {
    Lane& its = lane(waiter.request.request_class);
    const auto flow = its.flows.find(waiter.request.flow);
    flow->second.erase(waiter.arrival);
    if (flow->second.empty())
        its.flows.erase(flow);
    --its.size;
    fresh_pushes_.erase(rank_of(waiter));
}

void FairQueue::put(Request request, rt::TimePoint now) {
    const auto known = waiters_.find(request.key);
    if (known == waiters_.end())
        return put_back({.request = std::move(request), .arrival = ++arrivals_, .since = now});
    erase(known->second);
    known->second.request = std::move(request);
    insert(known->second);
}

void FairQueue::put_back(Waiter waiter) {
    insert(waiter);
    std::string key = waiter.request.key;
    waiters_.emplace(std::move(key), std::move(waiter));
}

void FairQueue::remove(const std::string& key) {
    if (const auto known = waiters_.find(key); known != waiters_.end()) {
        erase(known->second);
        waiters_.erase(known);
    }
}

FairQueue::Waiter FairQueue::take(const std::string& key) {
    const auto known = waiters_.find(key);
    Waiter waiter = std::move(known->second);
    waiters_.erase(known);
    erase(waiter);
    lane(waiter.request.request_class).last_flow = waiter.request.flow;
    return waiter;
}

const FairQueue::Waiter* FairQueue::find(const std::string& key) const {
    const auto known = waiters_.find(key);
    return known == waiters_.end() ? nullptr : &known->second;
}

const FairQueue::Waiter* FairQueue::next(RequestClass request_class) const {
    const Lane& its = lanes_.at(static_cast<std::size_t>(request_class));
    if (its.flows.empty())
        return nullptr;
    auto flow = its.flows.upper_bound(its.last_flow);
    if (flow == its.flows.end())
        flow = its.flows.begin();
    return &waiters_.at(flow->second.begin()->second);
}

const FairQueue::Waiter* FairQueue::oldest(Fits fits) const {
    const Waiter* found = nullptr;
    for (std::size_t request_class = 0; request_class < request_classes; ++request_class) {
        if (!fits(traits(static_cast<RequestClass>(request_class))))
            continue;
        for (const auto& [flow, queue] : lanes_.at(request_class).flows) {
            const Waiter& first = waiters_.at(queue.begin()->second);
            if (found == nullptr || first.arrival < found->arrival)
                found = &first;
        }
    }
    return found;
}

const FairQueue::Waiter* FairQueue::first_fresh_push() const {
    return fresh_pushes_.empty() ? nullptr : find(std::get<std::string>(*fresh_pushes_.begin()));
}

// Round robin over the flows: of each other flow as many go before as of its own, if it has so
// many.
std::size_t FairQueue::ahead_in_lane(const Lane& lane, const Waiter& waiter) const {
    const Queue& own = lane.flows.at(waiter.request.flow);
    const auto before =
        static_cast<std::size_t>(std::distance(own.begin(), own.find(waiter.arrival)));
    std::size_t ahead = before;
    for (const auto& [flow, queue] : lane.flows)
        if (flow != waiter.request.flow)
            ahead += std::min(queue.size(), before + 1);
    return ahead;
}

std::size_t FairQueue::ahead_of(const std::string& key) const {
    const auto known = waiters_.find(key);
    if (known == waiters_.end())
        return 0;
    const Waiter& waiter = known->second;
    std::size_t ahead = 0;
    for (std::size_t request_class = 0; request_class < request_classes; ++request_class) {
        const Lane& lane = lanes_.at(request_class);
        if (static_cast<RequestClass>(request_class) == waiter.request.request_class)
            ahead += ahead_in_lane(lane, waiter);
        else if (traits(static_cast<RequestClass>(request_class)).order <=
                 traits(waiter.request.request_class).order)
            ahead += lane.size;
    }
    return ahead;
}

} // namespace oco::work
