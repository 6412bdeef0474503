#include "work/gate.hpp"

#include "rt/backoff.hpp"

namespace oco::work {
namespace {

// Who was woken and does not come (the object is gone) loses the slot to the next.
constexpr rt::Duration set_aside_for = std::chrono::seconds(30);
constexpr rt::BackoffPolicy pause_policy{.first = std::chrono::seconds(5),
                                         .longest = std::chrono::minutes(2)};

} // namespace

int Gate::unreserved() {
    const auto now = runtime_.now();
    std::erase_if(set_aside_, [&](const auto& entry) { return entry.second <= now; });
    return budget_.free(now) - static_cast<int>(set_aside_.size());
}

std::optional<RateBudget::Slot> Gate::enter(const std::string& key, Priority priority, Wake wake) {
    const auto now = runtime_.now();
    if (set_aside_.contains(key)) {
        set_aside_.erase(key);
        if (budget_.free(now) > 0)
            return budget_.take(now);
    }
    const bool first = order_.empty() || priority < order_.begin()->first.first;
    if (first && unreserved() > 0) {
        leave(key);
        return budget_.take(now);
    }
    if (const auto known = waiting_.find(key); known != waiting_.end()) {
        if (known->second.first.first <= priority) {
            known->second.second = std::move(wake);
            return std::nullopt;
        }
        leave(key); // it became more urgent
    }
    const Order order{priority, ++arrivals_};
    order_.emplace(order, key);
    waiting_.emplace(key, std::pair(order, std::move(wake)));
    changed_.notify();
    return std::nullopt;
}

void Gate::leave(const std::string& key) {
    if (set_aside_.erase(key) != 0)
        changed_.notify();
    const auto known = waiting_.find(key);
    if (known == waiting_.end())
        return;
    order_.erase(known->second.first);
    waiting_.erase(known);
}

void Gate::answered(RateBudget::Slot slot) {
    budget_.answered(slot, runtime_.now());
    changed_.notify();
}

void Gate::unanswered(RateBudget::Slot slot, rt::TimePoint deadline) {
    budget_.unanswered(slot, deadline);
    changed_.notify();
}

void Gate::unused(RateBudget::Slot slot) {
    budget_.unused(slot);
    changed_.notify();
}

void Gate::rate_limited(std::optional<std::chrono::seconds> retry_after) {
    ++episodes_;
    const rt::Duration pause =
        retry_after ? rt::Duration(*retry_after) : rt::backoff(runtime_, pause_policy, episodes_);
    budget_.pause(runtime_.now() + pause);
    changed_.notify();
}

void Gate::accepted() {
    episodes_ = 0;
    budget_.resume();
    changed_.notify();
}

void Gate::set_limit(int requests_per_minute) {
    if (requests_per_minute == budget_.limit())
        return;
    budget_.set_limit(requests_per_minute);
    changed_.notify();
}

void Gate::hand_out() {
    // Asked first, since run() sleeps until the next of those that it leaves.
    while (unreserved() > 0 && !order_.empty()) {
        const auto next = order_.begin();
        const std::string key = next->second;
        const Wake wake = std::move(waiting_.at(key).second);
        waiting_.erase(key);
        order_.erase(next);
        set_aside_.emplace(key, runtime_.now() + set_aside_for);
        wake();
    }
}

asio::awaitable<void> Gate::run() {
    for (;;) {
        hand_out();
        rt::TimePoint next = order_.empty() ? rt::TimePoint::max() : next_slot();
        for (const auto& [key, until] : set_aside_)
            next = std::min(next, until);
        if (next == rt::TimePoint::max())
            co_await changed_.wait();
        else
            co_await changed_.wait_until(runtime_, next);
    }
}

} // namespace oco::work
