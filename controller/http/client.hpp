// An HTTP/1.1 client for one server: keep-alive connections, deadlines, streams for watches.
#pragma once

#include "http/codec.hpp"
#include "rt/semaphore.hpp"

#include <functional>
#include <list>
#include <memory>
#include <string>

namespace oco::http {

// Takes the next part of a body. False: no more is wanted.
using BodySink = std::function<bool(std::string_view)>;

struct ClientOptions {
    std::string user_agent = "omni-connection-operator";
    // Requests under way at once; what comes then waits in order for at most `patience`, and goes
    // on a connection of its own after that, in case those under way get no answers. 0: any number.
    std::size_t max_connections = 0;
    rt::Duration patience = std::chrono::seconds(1);
    std::size_t max_idle = 4;
    rt::Duration idle_timeout = std::chrono::seconds(50); // below what servers commonly have (60 s)
    std::size_t body_limit = std::size_t{64} << 20;       // bytes of one answer
    std::size_t sink_limit = std::size_t{1} << 30;        // bytes of one answer to a BodySink
    // For a GET on a connection that the server closed while it was idle. Where requests are
    // counted, the caller has to send each one itself.
    enum class StaleGet { send_again, fail } stale_get = StaleGet::send_again;
};

// A response whose body is read as it arrives. Destroying it closes its connection.
class ResponseStream {
  public:
    ResponseStream(std::unique_ptr<rt::Stream> stream, ResponseParser parser);

    [[nodiscard]] const ResponseHead& head() const { return head_; }

    // The next bytes of the body; empty at its orderly end. No deadline of its own.
    asio::awaitable<Result<SecretBytes>> read();

    // A pending read ends with an error.
    void close() noexcept { stream_->close(); }

  private:
    std::unique_ptr<rt::Stream> stream_;
    ResponseParser parser_;
    ResponseHead head_;
};

class Client {
  public:
    Client(rt::Runtime& runtime, rt::Endpoint endpoint, ClientOptions options);
    Client(const Client&) = delete; // its idle connections know it
    Client& operator=(const Client&) = delete;
    ~Client() = default;

    // One request, one complete response (of any status), within `deadline` in all. The error's
    // `sent` says whether a byte of the request may have left. Nothing is retried except, by
    // option, a GET.
    // With a `sink`, the body of a 2xx answer goes there as it arrives, not into the response.
    asio::awaitable<Result<Response>> send(Request request, rt::Duration deadline,
                                           BodySink sink = nullptr);

    // The head within `deadline`, the body by the caller.
    asio::awaitable<Result<std::unique_ptr<ResponseStream>>> open(Request request,
                                                                  rt::Duration deadline);

    [[nodiscard]] const rt::Endpoint& endpoint() const { return endpoint_; }

    // For new connections: a rotated CA or client certificate. Idle connections are closed, and
    // those in use are not used again.
    void set_endpoint(rt::Endpoint endpoint);

  private:
    enum class Origin { fresh, pooled };

    struct Connection {
        std::unique_ptr<rt::Stream> stream;
        Origin origin = Origin::fresh;
        int generation = 0; // of the endpoint
    };

    struct Idle {
        std::unique_ptr<rt::Stream> stream;
        rt::TimePoint since;
    };

    // Lives in the caller's frame: it stays readable when the deadline cancels the request.
    struct Progress {
        Sent sent = Sent::no;
        bool answered = false; // at least one byte
    };

    asio::awaitable<Result<Response>> exchange(Request request, Progress& progress, BodySink sink);
    asio::awaitable<Result<Response>> ask(Connection connection, const Request& request,
                                          Progress& progress, const BodySink& sink);
    asio::awaitable<Result<std::unique_ptr<ResponseStream>>> start(Request request,
                                                                   Progress& progress);
    asio::awaitable<Result<void>> write(rt::Stream& stream, const Request& request,
                                        Progress& progress);
    asio::awaitable<Result<Connection>> connect();
    // A pooled one, if there is any.
    asio::awaitable<Result<Connection>> take_connection();
    void give_back(Connection connection);

    rt::Runtime& runtime_;
    rt::Endpoint endpoint_;
    int generation_ = 0; // counts endpoints
    ClientOptions options_;
    std::list<Idle> idle_; // the most recently used one at the back
    rt::Semaphore turns_;
};

} // namespace oco::http
