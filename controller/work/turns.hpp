// Who waits for a slot, and whose turn it is: by the order of their errands, in turn between groups
// (namespaces), and within a group by arrival. Pure.
#pragma once

#include "rt/runtime.hpp"
#include "work/errand.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

namespace oco::work {

// What somebody waits for.
struct Wish {
    std::string key;
    std::string group;
    Errand errand = Errand::settings;
};

class Turns {
  public:
    struct Place {
        Wish wish;
        std::uint64_t arrival = 0; // counts up
        rt::TimePoint since{};
    };

    using Fits = bool (*)(const ErrandTraits&);

    // Who is there already keeps its arrival, also when the errand is another now.
    void put(Wish wish, rt::TimePoint now);
    // Who was taken out, and goes on waiting after all.
    void put_back(Place place);
    void remove(const std::string& key);
    // It is the turn of `key`: takes it out.
    Place take(const std::string& key);

    [[nodiscard]] bool empty() const { return places_.empty(); }

    // Null when it does not wait.
    [[nodiscard]] const Place* find(const std::string& key) const;

    // The next with this errand; null: nobody.
    [[nodiscard]] const Place* next(Errand errand) const;
    // Who has waited longest, of the errands that fit; null: nobody.
    [[nodiscard]] const Place* oldest(Fits fits) const;
    // How many go before `key`, about; 0 when it does not wait.
    [[nodiscard]] std::size_t ahead_of(const std::string& key) const;

  private:
    using Queue = std::map<std::uint64_t, std::string>; // by arrival

    struct Lane {
        std::map<std::string, Queue> groups; // none is empty
        std::string last_group;              // that had its turn
        std::size_t size = 0;
    };

    void insert(const Place& place);
    void erase(const Place& place);
    [[nodiscard]] std::size_t ahead_in_lane(const Lane& lane, const Place& place) const;

    [[nodiscard]] Lane& lane(Errand errand) { return lanes_.at(static_cast<std::size_t>(errand)); }

    std::array<Lane, errands> lanes_;
    std::unordered_map<std::string, Place> places_;
    std::uint64_t arrivals_ = 0;
};

} // namespace oco::work
