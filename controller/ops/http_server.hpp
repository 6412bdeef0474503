// A small HTTP/1.1 server for /metrics, /healthz and /readyz. Plain text over plain TCP; it serves
// scrapers and probes within a cluster, not the internet.
#pragma once

#include "base/result.hpp"
#include "rt/event.hpp"
#include "rt/runtime.hpp"
#include "rt/task_group.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <string_view>

namespace oco::ops {

namespace asio = boost::asio;

struct Reply {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
};

// By path, without a query. They run on the loop: quick, and without waiting. One that throws is
// answered with 500.
using Handlers = std::map<std::string, std::function<Reply()>>;

struct HttpServerLimits {
    std::size_t connections = 64; // one more makes the longest idle one close, or else waits
    std::size_t head_bytes = 8192;
    // From the first byte of a request to the last of its answer; for the first byte of a new
    // connection too.
    rt::Duration request = std::chrono::seconds(10);
    // Between requests. Longer than the usual interval of scrapes, a minute.
    rt::Duration idle = std::chrono::seconds(90);
};

struct HttpConnection; // in the .cpp, with Beast

// GET and HEAD, keep-alive, no bodies in requests. What is not served: 400, 404, 405, 413, 431.
class HttpServer {
  public:
    // `runtime` and what the handlers refer to outlive the server.
    HttpServer(rt::Runtime& runtime, Handlers handlers, HttpServerLimits limits = {});
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    // Once, before run(). See parse_bind_address() for `address`; ":8080" takes IPv6 and IPv4, or
    // IPv4 alone where the machine has no IPv6. The error is one line that names the address.
    Result<void> listen(std::string_view address);
    // Of listen(): the one that the kernel chose for ":0".
    [[nodiscard]] std::uint16_t port() const;

    // Serves until it is cancelled, which cuts open connections; ends when all have been joined.
    // Give it a task of its own (TaskGroup::spawn): at its end the task reacts to no cancellation.
    asio::awaitable<void> run();

  private:
    using Connections = std::list<HttpConnection>;
    enum class Next { request, close };

    asio::awaitable<void> accept_all(rt::TaskGroup& tasks);
    asio::awaitable<void> serve(Connections::iterator connection);
    asio::awaitable<void> serve_requests(Connections::iterator connection);
    asio::awaitable<Result<Next>> exchange(HttpConnection& connection);
    [[nodiscard]] Reply reply_to(std::string_view method, std::string_view target) const;
    void close_longest_idle();

    rt::Runtime& runtime_;
    const Handlers handlers_;
    const HttpServerLimits limits_;
    asio::ip::tcp::acceptor acceptor_;
    Connections connections_; // in the order in which they last became idle
    rt::Event connection_ended_;
};

} // namespace oco::ops
