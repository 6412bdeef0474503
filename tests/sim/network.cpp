#include "network.hpp"

#include "rt/event.hpp"

#include <algorithm>
#include <charconv>
#include <deque>
#include <stdexcept>

namespace oco::sim {

using rt::TimePoint;

namespace {

constexpr rt::Duration recently = std::chrono::seconds(15);

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

std::string percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned byte = 0;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(&text[i + 1], &text[i + 3], byte, 16).ec == std::errc{}) {
            out.push_back(static_cast<char>(byte));
            i += 2;
        } else {
            out.push_back(text[i] == '+' ? ' ' : text[i]);
        }
    }
    return out;
}

void parse_target(HttpRequest& request) {
    const std::string_view target = request.target;
    const auto mark = std::min(target.find('?'), target.size());
    request.path = target.substr(0, mark);
    std::string_view rest = target.substr(std::min(mark + 1, target.size()));
    while (!rest.empty()) {
        const auto pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
        const auto equals = std::min(pair.find('='), pair.size());
        request.query[percent_decode(pair.substr(0, equals))] =
            percent_decode(pair.substr(std::min(equals + 1, pair.size())));
    }
}

// Takes one whole request from the front of `bytes`; false while there is none.
bool take_request(std::string& bytes, HttpRequest& out) {
    const auto head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string::npos)
        return false;
    std::string_view head(bytes.data(), head_end);
    const auto next_line = [&head] {
        const auto line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(line.size() + 2, head.size()));
        return line;
    };
    const auto first = next_line();
    const auto space = first.find(' ');
    HttpRequest request;
    request.method = first.substr(0, space);
    request.target = first.substr(space + 1, first.rfind(' ') - space - 1);
    while (!head.empty()) {
        const auto line = next_line();
        const auto colon = line.find(": ");
        request.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
    }
    const std::string length_text = request.header("content-length");
    std::size_t length = 0;
    std::from_chars(length_text.data(), length_text.data() + length_text.size(), length);
    if (bytes.size() < head_end + 4 + length)
        return false;
    request.body = bytes.substr(head_end + 4, length);
    bytes.erase(0, head_end + 4 + length);
    parse_target(request);
    out = std::move(request);
    return true;
}

} // namespace

// One connection: what both ends and the wire between them know of it.
class Link final : public Channel, public std::enable_shared_from_this<Link> {
  public:
    Link(Network& network, std::string client, std::string host)
        : network_(network), client_(std::move(client)), host_(std::move(host)),
          readable_(network.time_) {}

    // --- the server's end
    void send(std::string bytes) override {
        sent_ += bytes.size();
        to_client([this, bytes = std::move(bytes)] {
            inbox_ += bytes;
            readable_.notify();
        });
    }

    void finish() override {
        to_client([this] {
            ended_ = true;
            readable_.notify();
        });
    }

    void reset() override {
        broken_ = true;
        readable_.notify();
    }

    [[nodiscard]] bool abandoned() const override { return closed_ || broken_; }

    [[nodiscard]] bool delivered() const override { return taken_ == sent_; }

    void when_taken(std::function<void()> what) override {
        if (!abandoned())
            when_taken_.emplace_back(sent_, std::move(what));
    }

    [[nodiscard]] const std::string& client() const override { return client_; }

    // --- the client's end
    void write(std::string_view bytes) {
        if (closed_)
            return;
        to_server([this, text = std::string(bytes)] {
            outbox_ += text;
            HttpRequest request;
            while (take_request(outbox_, request))
                network_.hosts_.at(host_).server->request(std::move(request), shared_from_this());
        });
    }

    asio::awaitable<Result<std::size_t>> read(std::span<char> into) {
        while (inbox_.empty() && !ended_ && !broken_ && !closed_)
            co_await readable_.wait();
        if (closed_)
            co_return make_error(ErrorClass::unavailable, "read: the stream is closed");
        if (inbox_.empty()) {
            if (broken_)
                co_return make_error(ErrorClass::unavailable, "read: connection reset by peer");
            co_return std::size_t{0};
        }
        std::size_t size = std::min(into.size(), inbox_.size());
        if (network_.dice_.chance(network_.hosts_.at(host_).quality.split))
            size = 1 + network_.dice_.index(size);
        std::copy_n(inbox_.begin(), size, into.begin());
        inbox_.erase(0, size);
        taken_ += size;
        report_taken();
        co_return size;
    }

    void close() {
        closed_ = true;
        when_taken_.clear();
        readable_.notify();
    }

    // As close(), but the client is not told either.
    void abandon() {
        closed_ = true;
        when_taken_.clear();
    }

    void silence() { silent_ = true; }

    [[nodiscard]] bool quiet() const { return inbox_.empty() && !ended_ && !broken_; }

    [[nodiscard]] bool broken() const { return broken_; }

    [[nodiscard]] const std::string& host() const { return host_; }

  private:
    void report_taken() {
        while (!when_taken_.empty() && when_taken_.front().first <= taken_) {
            const auto what = std::move(when_taken_.front().second);
            when_taken_.pop_front();
            what();
        }
    }

    // Bytes keep their order in each direction.
    TimePoint arrival(TimePoint& last) {
        last = std::max(last, network_.time_.now() + network_.delay(host_));
        return last;
    }

    void to_client(std::function<void()> what) {
        network_.time_.at(arrival(last_to_client_),
                          [self = shared_from_this(), what = std::move(what)] {
                              if (!self->closed_ && !self->broken_ && !self->silent_)
                                  what();
                          });
    }

    void to_server(std::function<void()> what) {
        // What a client has sent before it closed or died may still arrive, or not.
        network_.time_.at(
            arrival(last_to_server_),
            [self = shared_from_this(), lost = network_.dice_.chance(0.5), what = std::move(what)] {
                if (!self->broken_ && !self->silent_ && !(self->closed_ && lost))
                    what();
            });
    }

    Network& network_;
    std::string client_;
    std::string host_;
    std::string inbox_;  // arrived at the client, not read yet
    std::string outbox_; // arrived at the server, no whole request yet
    rt::Event readable_;
    TimePoint last_to_client_{};
    TimePoint last_to_server_{};
    std::size_t sent_ = 0;  // bytes, by the server
    std::size_t taken_ = 0; // and by the client
    // By how many bytes have to be taken before.
    std::deque<std::pair<std::size_t, std::function<void()>>> when_taken_;
    bool ended_ = false; // by the server, in order
    bool broken_ = false;
    bool closed_ = false; // by the client
    bool silent_ = false; // nothing gets through any more, and nobody is told
};

class ClientStream final : public rt::Stream {
  public:
    explicit ClientStream(std::shared_ptr<Link> link) : link_(std::move(link)) {}

    ~ClientStream() override { link_->close(); }

    asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
        return link_->read(into);
    }

    asio::awaitable<Result<void>> write(std::string_view bytes) override {
        if (link_->broken())
            co_return make_error(ErrorClass::unavailable, "write: connection reset by peer");
        link_->write(bytes);
        co_return Result<void>();
    }

    bool idle_and_open() override { return link_->quiet(); }

    void close() noexcept override { link_->close(); }

  private:
    std::shared_ptr<Link> link_;
};

rt::Duration Network::delay(const std::string& host) {
    Host& there = hosts_.at(host);
    const auto delay = dice_.duration(there.quality.least_delay, there.quality.most_delay);
    if (delay >= there.longest_delay || time_.now() > there.delayed_at + recently) {
        there.longest_delay = delay;
        there.delayed_at = time_.now();
    }
    return delay;
}

rt::Duration Network::recent_delay(const std::string& host) const {
    const Host& there = hosts_.at(host);
    return std::max(there.longest_delay, there.quality.most_delay);
}

asio::awaitable<Result<std::unique_ptr<rt::Stream>>> Network::connect(std::string client,
                                                                      rt::Endpoint endpoint) {
    if (failing_ == endpoint.host) {
        failing_.clear();
        throw std::runtime_error("a defect");
    }
    const auto host = hosts_.find(endpoint.host);
    const bool reachable = host != hosts_.end() && !dead_clients_.contains(client);
    const Accept verdict = reachable ? host->second.server->accept() : Accept::never_answer;
    if (verdict == Accept::never_answer)
        co_await time_.sleep_until(TimePoint::max());
    co_await time_.sleep(delay(endpoint.host));
    if (verdict == Accept::refuse)
        co_return make_error(ErrorClass::unavailable,
                             "connect to " + endpoint.authority() + ": connection refused");
    if (verdict == Accept::bad_certificate)
        co_return make_error(ErrorClass::tls, "the certificate of " + endpoint.host +
                                                  " is not trusted: self-signed certificate");
    auto link = std::make_shared<Link>(*this, std::move(client), endpoint.host);
    std::erase_if(links_, [](const auto& known) { return known.expired(); });
    links_.push_back(link);
    co_return std::unique_ptr<rt::Stream>(std::make_unique<ClientStream>(std::move(link)));
}

void Network::cut(const std::string& host) {
    for (const auto& known : links_)
        if (const auto link = known.lock(); link && link->host() == host)
            link->reset();
}

void Network::silence(const std::string& host) {
    for (const auto& known : links_)
        if (const auto link = known.lock(); link && link->host() == host)
            link->silence();
}

void Network::silence(const std::string& host, const std::string& client) {
    for (const auto& known : links_)
        if (const auto link = known.lock();
            link && link->host() == host && link->client() == client)
            link->silence();
}

void Network::kill(const std::string& client) {
    dead_clients_.insert(client);
    for (const auto& known : links_)
        if (const auto link = known.lock(); link && link->client() == client)
            link->abandon();
}

} // namespace oco::sim
