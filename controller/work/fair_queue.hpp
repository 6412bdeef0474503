// What waits for a slot, and whose turn it is: by the order of the request classes, round robin
// over flows (namespaces), and within a flow by arrival. Pure.
#pragma once

#include "rt/runtime.hpp"
#include "work/request_class.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>

namespace oco::work {

// What a key waits for.
struct Request {
    std::string key;
    std::string flow;
    RequestClass request_class = RequestClass::settings;
    bool failing = false; // its last request failed
};

class FairQueue {
  public:
    struct Waiter {
        Request request;
        std::uint64_t arrival = 0; // counts up
        rt::TimePoint since{};
    };

    using Fits = bool (*)(const RequestClassTraits&);

    // A key that already waits keeps its arrival, even if its class has changed.
    void put(Request request, rt::TimePoint now);
    // For a key that was taken out, but has to wait again.
    void put_back(Waiter waiter);
    void remove(const std::string& key);
    // It is the turn of `key`: takes it out.
    Waiter take(const std::string& key);

    [[nodiscard]] bool empty() const { return waiters_.empty(); }

    // Null when it does not wait.
    [[nodiscard]] const Waiter* find(const std::string& key) const;

    // The next of this class; null: nothing.
    [[nodiscard]] const Waiter* next(RequestClass request_class) const;
    // What has waited longest, of the classes that fit; null: nothing.
    [[nodiscard]] const Waiter* oldest(Fits fits) const;
    // Of the pushes that do not fail: the first by the order of their classes, then the oldest.
    [[nodiscard]] const Waiter* first_fresh_push() const;
    // About how many go before `key`; 0 if it does not wait.
    [[nodiscard]] std::size_t ahead_of(const std::string& key) const;

  private:
    using Queue = std::map<std::uint64_t, std::string>;       // by arrival
    using Rank = std::tuple<int, std::uint64_t, std::string>; // order, arrival, key

    struct Lane {
        std::map<std::string, Queue> flows; // none is empty
        std::string last_flow;              // that had its turn
        std::size_t size = 0;
    };

    [[nodiscard]] static bool is_fresh_push(const Request& request);
    [[nodiscard]] static Rank rank_of(const Waiter& waiter);
    void insert(const Waiter& waiter);
    void erase(const Waiter& waiter);
    [[nodiscard]] std::size_t ahead_in_lane(const Lane& lane, const Waiter& waiter) const;

    [[nodiscard]] Lane& lane(RequestClass request_class) {
        return lanes_.at(static_cast<std::size_t>(request_class));
    }

    std::array<Lane, request_classes> lanes_;
    std::unordered_map<std::string, Waiter> waiters_;
    std::set<Rank> fresh_pushes_;
    std::uint64_t arrivals_ = 0;
};

} // namespace oco::work
