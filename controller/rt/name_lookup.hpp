// From a host to its addresses: shared by all who ask at once, kept for a while, abandoned when
// nobody waits any more.
#pragma once

#include "rt/dns_channel.hpp"
#include "rt/event.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace oco::rt {

class NameLookup {
  public:
    // `runtime` must outlive this, and this everybody who waits in addresses().
    NameLookup(Runtime& runtime, DnsSettings settings)
        : runtime_(runtime), settings_(std::move(settings)) {}

    NameLookup(const NameLookup&) = delete;
    NameLookup& operator=(const NameLookup&) = delete;
    ~NameLookup() = default;

    // A literal address is returned as it is. Errors are `unavailable` and name the host; there is
    // one after `limit` at the latest. Throws operation_aborted when the coroutine is cancelled.
    // An error is not kept: the next call asks again.
    asio::awaitable<Result<Addresses>> addresses(std::string host);

    // The next call asks again, since none of the addresses can be connected to.
    void forget(const std::string& host) { cache_.forget(host); }

    static constexpr Duration limit = std::chrono::seconds(8);

  private:
    // What is being asked about one host, in both families.
    struct Query {
        std::string host;
        std::array<std::unique_ptr<DnsAnswer>, 2> answers; // by Family; null: not yet
        TimePoint enough_at;                               // when it ends with what there is
        std::vector<Event*> waiters;
        std::unique_ptr<Result<Addresses>> result; // null: under way
    };

    class Wait;

    std::shared_ptr<Query> join(const std::string& host);
    void ask(const std::shared_ptr<Query>& query);
    void ask(const std::shared_ptr<Query>& query, Family family, const std::string& name);
    void receive(Query& query, Family family, DnsAnswer answer);
    void finish(Query& query);
    // A channel that follows resolv.conf as it is now.
    Result<void> refresh_channel();

    Runtime& runtime_;
    DnsSettings settings_;
    AddressCache cache_;
    std::map<std::string, std::shared_ptr<Query>> queries_; // under way
    std::size_t waiting_ = 0;                               // in all of them
    std::array<std::int64_t, 4> read_from_{}; // which resolv.conf the channel has read
    std::shared_ptr<DnsChannel> channel_;     // while somebody waits
};

} // namespace oco::rt
