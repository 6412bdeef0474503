#include "http/client.hpp"

#include "rt/deadline.hpp"

#include <iterator>
#include <optional>

namespace oco::http {
namespace {

constexpr std::size_t read_chunk = 16 * 1024;

// Reads until `enough(parser)`. The buffer may hold a Secret. `answered` becomes true with the
// first byte.
template<class Enough>
asio::awaitable<Result<void>> read_until(rt::Stream& stream, ResponseParser& parser, bool& answered,
                                         Enough enough) {
    SecretBytes buffer;
    buffer.resize(read_chunk);
    while (!enough(parser)) {
        auto size = co_await stream.read_some({buffer.data(), buffer.size()});
        if (!size)
            co_return size.error();
        answered |= *size != 0;
        auto fed = *size == 0 ? parser.finish() : parser.feed(buffer.expose().substr(0, *size));
        if (!fed)
            co_return fed.error();
    }
    co_return Result<void>();
}

// Hands a 2xx answer's body over as it arrives. Any other is left in the parser.
class Delivery {
  public:
    Delivery(const BodySink& sink, const ClientOptions& options) : sink_(sink), options_(options) {}

    [[nodiscard]] bool too_large() const { return too_large_; }

    // To be called after each read; false when no more should be read.
    bool go_on(ResponseParser& parser) {
        if (!parser.head_done())
            return true;
        if (!successful_)
            successful_ = parser.head().status / 100 == 2;
        if (!*successful_) {
            too_large_ = parser.body_size() > options_.body_limit;
            return !too_large_;
        }
        const SecretBytes part = parser.take_body();
        delivered_ += part.size();
        too_large_ = delivered_ > options_.sink_limit;
        return !too_large_ && sink_(part.expose());
    }

  private:
    const BodySink& sink_;
    const ClientOptions& options_;
    std::optional<bool> successful_;
    std::size_t delivered_ = 0;
    bool too_large_ = false;
};

} // namespace

ResponseStream::ResponseStream(std::unique_ptr<rt::Stream> stream, ResponseParser parser)
    : stream_(std::move(stream)), parser_(std::move(parser)), head_(parser_.head()) {}

asio::awaitable<Result<SecretBytes>> ResponseStream::read() {
    auto bytes = parser_.take_body();
    while (bytes.empty() && !parser_.done()) {
        bool answered = false;
        bool first = true;
        auto some =
            co_await read_until(*stream_, parser_, answered, [&first](const ResponseParser&) {
                return !std::exchange(first, false);
            });
        if (!some)
            co_return some.error();
        bytes = parser_.take_body();
    }
    co_return bytes;
}

Client::Client(rt::Runtime& runtime, rt::Endpoint endpoint, ClientOptions options)
    : runtime_(runtime), endpoint_(std::move(endpoint)), options_(std::move(options)),
      turns_(runtime, options_.max_connections) {}

void Client::set_endpoint(rt::Endpoint endpoint) {
    endpoint_ = std::move(endpoint);
    ++generation_;
    idle_.clear();
}

asio::awaitable<Result<Response>> Client::send(Request request, rt::Duration deadline,
                                               BodySink sink) {
    Progress progress;
    auto response = co_await rt::with_deadline(
        runtime_, deadline, exchange(std::move(request), progress, std::move(sink)));
    if (response)
        co_return response;
    // Where one request was swallowed, what is idle is not worth a try that takes as long.
    if (progress.sent == Sent::maybe && !progress.answered)
        idle_.clear();
    Error error = response.error();
    error.sent = progress.sent;
    co_return error;
}

asio::awaitable<Result<std::unique_ptr<ResponseStream>>> Client::open(Request request,
                                                                      rt::Duration deadline) {
    Progress progress;
    co_return co_await rt::with_deadline(runtime_, deadline, start(std::move(request), progress));
}

asio::awaitable<Result<Response>> Client::exchange(Request request, Progress& progress,
                                                   BodySink sink) {
    rt::Semaphore::Permit turn;
    if (options_.max_connections > 0 && request.urgency != rt::Urgency::first)
        turn = co_await turns_.acquire(request.urgency, options_.patience);
    auto connection = co_await take_connection();
    if (!connection)
        co_return connection.error();
    const Origin origin = connection->origin;
    auto response = co_await ask(std::move(*connection), request, progress, sink);
    // A server may close an idle connection at any time, also while a request is on its way.
    const bool stale = !response && origin == Origin::pooled && !progress.answered;
    if (!stale || request.method != "GET" || options_.stale_get == ClientOptions::StaleGet::fail)
        co_return response;
    auto fresh = co_await connect();
    if (!fresh)
        co_return fresh.error();
    co_return co_await ask(std::move(*fresh), request, progress, sink);
}

asio::awaitable<Result<Response>> Client::ask(Connection connection, const Request& request,
                                              Progress& progress, const BodySink& sink) {
    if (auto written = co_await write(*connection.stream, request, progress); !written)
        co_return written.error();
    ResponseParser parser(sink ? 0 : options_.body_limit, request.accept_encoding);
    Delivery delivery(sink, options_);
    auto read =
        co_await read_until(*connection.stream, parser, progress.answered, [&](ResponseParser& p) {
            return (sink && !delivery.go_on(p)) || p.done();
        });
    if (!read)
        co_return read.error();
    if (delivery.too_large())
        co_return make_error(ErrorClass::too_large, "the response is too large");
    Response response;
    static_cast<ResponseHead&>(response) = parser.head();
    response.body = parser.take_body();
    if (response.keep_alive && parser.done())
        give_back(std::move(connection));
    co_return response;
}

asio::awaitable<Result<std::unique_ptr<ResponseStream>>> Client::start(Request request,
                                                                       Progress& progress) {
    // A watch keeps its connection for minutes: it takes none from the pool.
    auto connection = co_await connect();
    if (!connection)
        co_return connection.error();
    if (auto written = co_await write(*connection->stream, request, progress); !written)
        co_return written.error();
    ResponseParser parser(0, request.accept_encoding);
    auto read = co_await read_until(*connection->stream, parser, progress.answered,
                                    [](const ResponseParser& p) { return p.head_done(); });
    if (!read)
        co_return read.error();
    co_return std::make_unique<ResponseStream>(std::move(connection->stream), std::move(parser));
}

asio::awaitable<Result<void>> Client::write(rt::Stream& stream, const Request& request,
                                            Progress& progress) {
    const SecretBytes bytes = serialize(request, endpoint_.authority(), options_.user_agent);
    progress.sent = Sent::maybe;
    co_return co_await stream.write(bytes.expose());
}

asio::awaitable<Result<Client::Connection>> Client::connect() {
    const int generation = generation_;
    auto stream = co_await runtime_.connect(endpoint_);
    if (!stream)
        co_return stream.error();
    co_return Connection{std::move(*stream), Origin::fresh, generation};
}

asio::awaitable<Result<Client::Connection>> Client::take_connection() {
    while (!idle_.empty()) {
        Idle candidate = std::move(idle_.back());
        idle_.pop_back();
        candidate.stream->unwatch();
        const bool fresh = runtime_.now() - candidate.since < options_.idle_timeout;
        if (fresh && candidate.stream->idle_and_open())
            co_return Connection{std::move(candidate.stream), Origin::pooled, generation_};
    }
    co_return co_await connect();
}

void Client::give_back(Connection connection) {
    if (connection.generation != generation_)
        return;
    idle_.push_back({std::move(connection.stream), runtime_.now()});
    idle_.back().stream->watch_idle([this, entry = std::prev(idle_.end())] { idle_.erase(entry); });
    if (idle_.size() > options_.max_idle)
        idle_.pop_front();
}

} // namespace oco::http
