#include "work/turns.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace oco::work {

void Turns::insert(const Place& place) {
    Lane& its = lane(place.wish.errand);
    its.groups[place.wish.group].emplace(place.arrival, place.wish.key);
    ++its.size;
}

void Turns::erase(const Place& place) {
    Lane& its = lane(place.wish.errand);
    const auto group = its.groups.find(place.wish.group);
    group->second.erase(place.arrival);
    if (group->second.empty())
        its.groups.erase(group);
    --its.size;
}

void Turns::put(Wish wish, rt::TimePoint now) {
    const auto known = places_.find(wish.key);
    if (known == places_.end())
        return put_back({.wish = std::move(wish), .arrival = ++arrivals_, .since = now});
    erase(known->second);
    known->second.wish = std::move(wish);
    insert(known->second);
}

void Turns::put_back(Place place) {
    insert(place);
    std::string key = place.wish.key;
    places_.emplace(std::move(key), std::move(place));
}

void Turns::remove(const std::string& key) {
    if (const auto known = places_.find(key); known != places_.end()) {
        erase(known->second);
        places_.erase(known);
    }
}

Turns::Place Turns::take(const std::string& key) {
    const auto known = places_.find(key);
    Place place = std::move(known->second);
    places_.erase(known);
    erase(place);
    lane(place.wish.errand).last_group = place.wish.group;
    return place;
}

const Turns::Place* Turns::find(const std::string& key) const {
    const auto known = places_.find(key);
    return known == places_.end() ? nullptr : &known->second;
}

const Turns::Place* Turns::next(Errand errand) const {
    const Lane& its = lanes_.at(static_cast<std::size_t>(errand));
    if (its.groups.empty())
        return nullptr;
    auto group = its.groups.upper_bound(its.last_group);
    if (group == its.groups.end())
        group = its.groups.begin();
    return &places_.at(group->second.begin()->second);
}

const Turns::Place* Turns::oldest(Fits fits) const {
    const Place* found = nullptr;
    for (std::size_t errand = 0; errand < errands; ++errand) {
        if (!fits(traits(static_cast<Errand>(errand))))
            continue;
        for (const auto& [group, queue] : lanes_.at(errand).groups) {
            const Place& first = places_.at(queue.begin()->second);
            if (found == nullptr || first.arrival < found->arrival)
                found = &first;
        }
    }
    return found;
}

// The groups take turns: of each other group as many go before as of its own, if it has so many.
std::size_t Turns::ahead_in_lane(const Lane& lane, const Place& place) const {
    const Queue& own = lane.groups.at(place.wish.group);
    const auto before =
        static_cast<std::size_t>(std::distance(own.begin(), own.find(place.arrival)));
    std::size_t ahead = before;
    for (const auto& [group, queue] : lane.groups)
        if (group != place.wish.group)
            ahead += std::min(queue.size(), before + 1);
    return ahead;
}

std::size_t Turns::ahead_of(const std::string& key) const {
    const auto known = places_.find(key);
    if (known == places_.end())
        return 0;
    const Place& place = known->second;
    std::size_t ahead = 0;
    for (std::size_t errand = 0; errand < errands; ++errand) {
        const Lane& lane = lanes_.at(errand);
        if (static_cast<Errand>(errand) == place.wish.errand)
            ahead += ahead_in_lane(lane, place);
        else if (traits(static_cast<Errand>(errand)).order <= traits(place.wish.errand).order)
            ahead += lane.size;
    }
    return ahead;
}

} // namespace oco::work
