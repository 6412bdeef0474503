#include "rt/address_cache.hpp"

#include <algorithm>

namespace oco::rt {

Addresses take_turns(const Addresses& v6, const Addresses& v4) {
    Addresses out;
    for (std::size_t i = 0; i < std::max(v6.size(), v4.size()); ++i)
        for (const auto* family : {&v6, &v4})
            if (i < family->size() && out.size() < max_addresses)
                out.push_back((*family)[i]);
    return out;
}

void AddressCache::put(const std::string& host, Addresses addresses, Duration ttl, TimePoint now) {
    entries_.insert_or_assign(
        host, Entry{std::move(addresses), now + std::clamp(ttl, min_kept, max_kept)});
    if (entries_.size() > max_hosts)
        entries_.erase(std::ranges::min_element(
            entries_, {}, [](const auto& entry) { return entry.second.until; }));
}

const Addresses* AddressCache::find(const std::string& host, TimePoint now) const {
    const auto entry = entries_.find(host);
    return entry == entries_.end() || entry->second.until <= now ? nullptr
                                                                 : &entry->second.addresses;
}

} // namespace oco::rt
