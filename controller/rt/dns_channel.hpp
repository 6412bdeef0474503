// Questions to the resolvers of resolv.conf, by c-ares, which also reads /etc/hosts and follows
// `search` and `ndots`. Nothing blocks, and there is no thread: the io_context drives its sockets.
#pragma once

#include "base/result.hpp"
#include "rt/address_cache.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct ares_channeldata;

namespace oco::rt {

struct DnsSettings {
    std::string resolv_conf = "/etc/resolv.conf";
    std::uint16_t port = 53; // of the resolvers
};

enum class Family { v4, v6 };

struct DnsAnswer {
    Addresses addresses; // as the server orders them; empty: `error` says why
    std::string name;    // the one that has them: with the search domain that led to it
    Duration ttl = Duration::zero();
    std::string error;
    bool server_failed = false; // at all, or only for the name that a search domain led to
};

// Reads resolv.conf once, when it is made. To abandon all questions, destroy it.
class DnsChannel : public std::enable_shared_from_this<DnsChannel> {
  public:
    using Callback = std::function<void(DnsAnswer)>;

    // Errors are `unavailable`.
    static Result<std::shared_ptr<DnsChannel>> open(asio::any_io_executor executor,
                                                    const DnsSettings& settings);
    DnsChannel(const DnsChannel&) = delete;
    DnsChannel& operator=(const DnsChannel&) = delete;
    ~DnsChannel();

    // `callback` gets the answer, or an error once each resolver has been asked three times (7 s
    // with one of them); within the call where /etc/hosts has it, and never once this is destroyed.
    // It may ask, but not destroy this.
    void ask(const std::string& host, Family family, Callback callback);

  private:
    explicit DnsChannel(asio::any_io_executor executor);

    void watch(int socket, bool for_reading, bool for_writing);
    // Has process() called when c-ares has something to do.
    void wait();
    void process();

    ares_channeldata* channel_ = nullptr;
    asio::posix::stream_descriptor sockets_; // an epoll instance with those of c-ares
    asio::steady_timer timer_;
    bool waiting_ = false; // for sockets_
};

} // namespace oco::rt
