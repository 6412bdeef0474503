// The addresses of names, for as long as they may be used again. Pure.
#pragma once

#include "rt/runtime.hpp"

#include <boost/asio/ip/address.hpp>

#include <map>
#include <string>
#include <vector>

namespace oco::rt {

// In the order in which to try them.
using Addresses = std::vector<asio::ip::address>;

// Those of IPv6 and IPv4 by turns, IPv6 first (RFC 8305, section 4), and at most `max_addresses`.
Addresses take_turns(const Addresses& v6, const Addresses& v4);
constexpr std::size_t max_addresses = 16;

class AddressCache {
  public:
    static constexpr Duration min_kept = std::chrono::seconds(1);
    static constexpr Duration max_kept = std::chrono::seconds(30);
    static constexpr std::size_t max_hosts = 256;

    // Kept for `ttl`, within the bounds above. When there are too many, those that end first go.
    void put(const std::string& host, Addresses addresses, Duration ttl, TimePoint now);

    void forget(const std::string& host) { entries_.erase(host); }

    // Null: none, or too old. Valid until the next call of the others.
    [[nodiscard]] const Addresses* find(const std::string& host, TimePoint now) const;

  private:
    struct Entry {
        Addresses addresses;
        TimePoint until;
    };

    std::map<std::string, Entry> entries_;
};

} // namespace oco::rt
