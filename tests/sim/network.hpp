// A network in memory, on virtual time: connections between clients (rt::Stream) and servers that
// get whole HTTP requests and answer in bytes. It delays, splits, cuts, loses and goes silent.
#pragma once

#include "dice.hpp"
#include "support/sim_runtime.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace oco::sim {

// As a server sees it. Header names are lower case, the query is decoded.
struct HttpRequest {
    std::string method;
    std::string target;
    std::string path;
    std::map<std::string, std::string> query;
    std::map<std::string, std::string> headers;
    std::string body;

    [[nodiscard]] std::string header(const std::string& name) const {
        const auto it = headers.find(name);
        return it == headers.end() ? std::string() : it->second;
    }
};

// The server's end of a connection.
class Channel {
  public:
    Channel() = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    virtual ~Channel() = default;

    virtual void send(std::string bytes) = 0;
    // After what was sent: an orderly end, or a reset, which also destroys what is under way.
    virtual void finish() = 0;
    virtual void reset() = 0;
    // The client has closed or died. What is sent now goes nowhere.
    [[nodiscard]] virtual bool abandoned() const = 0;
    [[nodiscard]] virtual const std::string& client() const = 0;
    // Whether the client has taken everything that was sent.
    [[nodiscard]] virtual bool delivered() const = 0;
    // Called once the client has taken all that was sent so far; never if it does not.
    virtual void when_taken(std::function<void()> what) = 0;
};

using ChannelPointer = std::shared_ptr<Channel>;

enum class Accept { yes, refuse, never_answer, bad_certificate };

class Server {
  public:
    Server() = default;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    virtual ~Server() = default;

    virtual Accept accept() = 0;
    virtual void request(HttpRequest request, ChannelPointer channel) = 0;
};

// What a server's link does beside carrying bytes.
struct LinkQuality {
    rt::Duration least_delay = std::chrono::microseconds(200);
    rt::Duration most_delay = std::chrono::milliseconds(3);
    double split = 0.3; // chance that a read yields only a part of what is there
};

class Network {
  public:
    Network(test::SimRuntime& time, std::uint64_t seed) : time_(time), dice_(seed, "network") {}

    void listen(const std::string& host, Server& server) { hosts_[host].server = &server; }

    LinkQuality& quality(const std::string& host) { return hosts_.at(host).quality; }

    // The longest that bytes have taken to or from `host` within the last seconds.
    [[nodiscard]] rt::Duration recent_delay(const std::string& host) const;

    asio::awaitable<Result<std::unique_ptr<rt::Stream>>> connect(std::string client,
                                                                 rt::Endpoint endpoint);

    // Of all connections to `host`: they are reset, or go silent for good.
    void cut(const std::string& host);
    void silence(const std::string& host);
    // Those of one client.
    void silence(const std::string& host, const std::string& client);

    // The next connection to `host` meets a defect of the client: an exception.
    void fail_next(const std::string& host) { failing_ = host; }

    // The client's machine is gone: its connections die, and it reaches nobody any more.
    void kill(const std::string& client);

  private:
    friend class Link;
    friend class ClientStream;

    struct Host {
        Server* server = nullptr;
        LinkQuality quality;
        rt::Duration longest_delay{};
        rt::TimePoint delayed_at{}; // so long
    };

    rt::Duration delay(const std::string& host);

    test::SimRuntime& time_;
    Dice dice_;
    std::map<std::string, Host> hosts_;
    std::set<std::string> dead_clients_;
    std::string failing_;
    std::vector<std::weak_ptr<class Link>> links_;
};

} // namespace oco::sim
