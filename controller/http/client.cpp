#include "http/client.hpp"

#include "rt/deadline.hpp"

#include <array>

namespace oco::http {
namespace {

constexpr std::size_t read_chunk = 16 * 1024;

// Reads until `enough(parser)`. The buffer may hold a Secret.
template<class Enough>
asio::awaitable<Result<void>> read_until(rt::Stream& stream, ResponseParser& parser,
                                         Enough enough) {
    SecretBytes buffer;
    buffer.resize(read_chunk);
    while (!enough(parser)) {
        auto size = co_await stream.read_some({buffer.data(), buffer.size()});
        if (!size)
            co_return size.error();
        auto fed = *size == 0 ? parser.finish() : parser.feed(buffer.expose().substr(0, *size));
        if (!fed)
            co_return fed.error();
    }
    co_return Result<void>();
}

} // namespace

ResponseStream::ResponseStream(std::unique_ptr<rt::Stream> stream, ResponseParser parser)
    : stream_(std::move(stream)), parser_(std::move(parser)), head_(parser_.head()) {}

asio::awaitable<Result<SecretBytes>> ResponseStream::read() {
    auto bytes = parser_.take_body();
    while (bytes.empty() && !parser_.done()) {
        bool first = true;
        auto some = co_await read_until(*stream_, parser_, [&first](const ResponseParser&) {
            return !std::exchange(first, false);
        });
        if (!some)
            co_return some.error();
        bytes = parser_.take_body();
    }
    co_return bytes;
}

Client::Client(rt::Runtime& runtime, rt::Endpoint endpoint, ClientOptions options)
    : runtime_(runtime), endpoint_(std::move(endpoint)), options_(std::move(options)) {}

void Client::set_endpoint(rt::Endpoint endpoint) {
    endpoint_ = std::move(endpoint);
    idle_.clear();
}

asio::awaitable<Result<Response>> Client::send(Request request, rt::Duration deadline) {
    Progress progress;
    auto response =
        co_await rt::with_deadline(runtime_, deadline, exchange(std::move(request), progress));
    if (response)
        co_return response;
    Error error = response.error();
    error.sent = progress.sent;
    co_return error;
}

asio::awaitable<Result<std::unique_ptr<ResponseStream>>> Client::open(Request request,
                                                                      rt::Duration deadline) {
    Progress progress;
    co_return co_await rt::with_deadline(runtime_, deadline, start(std::move(request), progress));
}

asio::awaitable<Result<Response>> Client::exchange(Request request, Progress& progress) {
    auto stream = co_await take_stream();
    if (!stream)
        co_return stream.error();
    const SecretBytes bytes = serialize(request, endpoint_.authority(), options_.user_agent);
    progress.sent = Sent::maybe;
    if (auto written = co_await (*stream)->write(bytes.expose()); !written)
        co_return written.error();
    ResponseParser parser(options_.body_limit);
    auto read =
        co_await read_until(**stream, parser, [](const ResponseParser& p) { return p.done(); });
    if (!read)
        co_return read.error();
    Response response;
    static_cast<ResponseHead&>(response) = parser.head();
    response.body = parser.take_body();
    if (response.keep_alive)
        give_back(std::move(*stream));
    co_return response;
}

asio::awaitable<Result<std::unique_ptr<ResponseStream>>> Client::start(Request request,
                                                                       Progress& progress) {
    // A watch keeps its connection for minutes: it takes none from the pool.
    auto stream = co_await runtime_.connect(endpoint_);
    if (!stream)
        co_return stream.error();
    const SecretBytes bytes = serialize(request, endpoint_.authority(), options_.user_agent);
    progress.sent = Sent::maybe;
    if (auto written = co_await (*stream)->write(bytes.expose()); !written)
        co_return written.error();
    ResponseParser parser(0);
    auto read = co_await read_until(**stream, parser,
                                    [](const ResponseParser& p) { return p.head_done(); });
    if (!read)
        co_return read.error();
    co_return std::make_unique<ResponseStream>(std::move(*stream), std::move(parser));
}

asio::awaitable<Result<std::unique_ptr<rt::Stream>>> Client::take_stream() {
    while (!idle_.empty()) {
        Idle candidate = std::move(idle_.back());
        idle_.pop_back();
        const bool fresh = runtime_.now() - candidate.since < options_.idle_timeout;
        if (fresh && candidate.stream->idle_and_open())
            co_return std::move(candidate.stream);
    }
    co_return co_await runtime_.connect(endpoint_);
}

void Client::give_back(std::unique_ptr<rt::Stream> stream) {
    idle_.push_back({std::move(stream), runtime_.now()});
    if (idle_.size() > options_.max_idle)
        idle_.pop_front();
}

} // namespace oco::http
