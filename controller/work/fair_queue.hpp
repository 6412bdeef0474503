// Who waits for a slot, and whose turn it is: by the order of their request classes, round robin
// over flows (namespaces), and within a group by arrival. Pure.
#pragma once

#include "rt/runtime.hpp"
#include "work/request_class.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

namespace oco::work {

// What somebody waits for.
struct Request {
    std::string key;
    std::string flow;
    RequestClass request_class = RequestClass::settings;
};

class FairQueue {
  public:
    struct Waiter {
        Request request;
        std::uint64_t arrival = 0; // counts up
        rt::TimePoint since{};
    };

    using Fits = bool (*)(const RequestClassTraits&);

    // Who is there already keeps its arrival, also when its class is another now.
    void put(Request request, rt::TimePoint now);
    // Who was taken out, and goes on waiting after all.
    void put_back(Waiter waiter);
    void remove(const std::string& key);
    // It is the turn of `key`: takes it out.
    Waiter take(const std::string& key);

    [[nodiscard]] bool empty() const { return waiters_.empty(); }

    // Null when it does not wait.
    [[nodiscard]] const Waiter* find(const std::string& key) const;

    // The next of this class; null: nobody.
    [[nodiscard]] const Waiter* next(RequestClass request_class) const;
    // Who has waited longest, of the classes that fit; null: nobody.
    [[nodiscard]] const Waiter* oldest(Fits fits) const;
    // How many go before `key`, about; 0 when it does not wait.
    [[nodiscard]] std::size_t ahead_of(const std::string& key) const;

  private:
    using Queue = std::map<std::uint64_t, std::string>; // by arrival

    struct Lane {
        std::map<std::string, Queue> flows; // none is empty
        std::string last_flow;              // that had its turn
        std::size_t size = 0;
    };

    void insert(const Waiter& waiter);
    void erase(const Waiter& waiter);
    [[nodiscard]] std::size_t ahead_in_lane(const Lane& lane, const Waiter& waiter) const;

    [[nodiscard]] Lane& lane(RequestClass request_class) {
        return lanes_.at(static_cast<std::size_t>(request_class));
    }

    std::array<Lane, request_classes> lanes_;
    std::unordered_map<std::string, Waiter> waiters_;
    std::uint64_t arrivals_ = 0;
};

} // namespace oco::work
