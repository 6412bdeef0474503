#include "kube/watcher.hpp"

#include "base/log.hpp"
#include "base/mutation.hpp"
#include "rt/backoff.hpp"
#include "rt/deadline.hpp"

namespace oco::kube {
namespace {

// So many objects are parsed in a few milliseconds: lists never hold up a renewal of the Lease.
constexpr std::string_view page_size = "250";
constexpr std::size_t max_line_bytes = std::size_t{16} << 20;
// Bookmarks come about once a minute, so that a silent watch is a dead one.
constexpr rt::Duration idle_limit = std::chrono::minutes(3);
// Within a list that is streamed, events follow each other closely.
constexpr rt::Duration list_idle_limit = std::chrono::seconds(15);
constexpr rt::BackoffPolicy watch_backoff{.first = std::chrono::milliseconds(800),
                                          .longest = std::chrono::seconds(30)};

bool is_missing_kind(const Error& error) {
    return error.kind == ErrorClass::not_found;
}

} // namespace

Watcher::Watcher(rt::Runtime& runtime, Client& client, WatchSpec spec, WatchSink& sink,
                 std::function<void()> on_synced)
    : runtime_(runtime), client_(client), spec_(std::move(spec)), sink_(sink),
      on_synced_(std::move(on_synced)), wake_(runtime), answered_at_(runtime.now()),
      heard_at_(runtime.now()) {}

std::string Watcher::label() const {
    return spec_.resource.plural + (spec_.ns.empty() ? "" : " in namespace " + spec_.ns);
}

std::string Watcher::target(std::string_view parameters) const {
    std::string out = spec_.resource.collection(spec_.ns).append("?").append(parameters);
    if (!spec_.field_selector.empty())
        out.append("&fieldSelector=").append(http::percent_encode(spec_.field_selector));
    return out;
}

void Watcher::heard() {
    answered_at_ = heard_at_ = runtime_.now();
}

asio::awaitable<void> Watcher::run() {
    for (;;) {
        machine_.next();
        const bool listing = machine_.state() == WatchMachine::State::listing;
        auto done = listing ? co_await list_page() : co_await follow();
        if (done) {
            trouble_.clear();
            continue;
        }
        if (done.error().http_status != 0)
            answered_at_ = runtime_.now();
        co_await recover(done.error());
    }
}

void Watcher::refresh() {
    machine_.refresh();
    if (open_ != nullptr)
        open_->close();
    wake_.notify();
}

asio::awaitable<void> Watcher::recover(Error error) {
    const auto recovery = machine_.failed(error);
    if (!recovery.quiet) {
        std::string trouble =
            label() + ": " +
            (is_missing_kind(error) ? "the API server does not know this kind; install the CRDs "
                                      "(kubectl apply -f crds/)"
                                    : error.message);
        const bool news = trouble != trouble_;
        trouble_ = std::move(trouble);
        log::write(news ? log::Level::warn : log::Level::debug,
                   is_missing_kind(error) ? "waiting for the CRDs to be installed"
                                          : "watch interrupted",
                   {{"resource", label()}, {"error", trouble_}});
    }
    if (recovery.pause == WatchMachine::Recovery::Pause::none)
        co_return;
    const rt::Duration pause = std::max(
        recovery.least,
        std::min(recovery.most, rt::backoff(runtime_, watch_backoff, machine_.failures())));
    co_await wake_.wait_until(runtime_, runtime_.now() + pause);
}

// --- lists in pages ----------------------------------------------------------------------------

asio::awaitable<Result<void>> Watcher::list_page() {
    std::string parameters = std::string("limit=").append(page_size);
    if (machine_.continue_token().empty()) {
        machine_.list_begins();
        sink_.list_begins();
    } else {
        parameters.append("&continue=").append(http::percent_encode(machine_.continue_token()));
    }
    auto page = co_await client_.get(
        target(parameters), spec_.metadata_only ? Accept::metadata_list_only : Accept::object);
    if (!page)
        co_return page.error();
    heard();
    if (const json::Value* items = json::find(*page, "items"); items && items->IsArray())
        for (const auto& item : items->GetArray())
            sink_.listed(item);
    auto effect =
        machine_.page(std::string(json::string_at(*page, {"metadata", "resourceVersion"})),
                      std::string(json::string_at(*page, {"metadata", "continue"})));
    if (!effect)
        co_return effect.error();
    apply(*effect, nullptr);
    co_return Result<void>();
}

// --- streams -----------------------------------------------------------------------------------

asio::awaitable<Result<void>> Watcher::follow() {
    // Spread out, so that a crowd of watches does not come back at once.
    const int lifetime_seconds = 300 + static_cast<int>(300 * runtime_.random_unit());
    std::string parameters =
        "watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(lifetime_seconds);
    if (machine_.state() == WatchMachine::State::streaming) {
        machine_.list_begins();
        sink_.list_begins();
        parameters += "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    } else {
        parameters.append("&resourceVersion=").append(http::percent_encode(machine_.version()));
    }
    auto stream = co_await client_.watch(
        target(parameters), spec_.metadata_only ? Accept::metadata_only : Accept::object);
    if (!stream)
        co_return stream.error();
    answered_at_ = runtime_.now();
    if (machine_.outdated())
        co_return Result<void>();
    machine_.opened();
    if (machine_.state() == WatchMachine::State::watching)
        trouble_.clear();

    struct Opened { // also when this is cancelled
        http::ResponseStream*& open;

        ~Opened() { open = nullptr; }
    } const opened{open_};

    open_ = stream->get();
    const auto began = runtime_.now();
    auto done = co_await read_stream(**stream);
    co_return done ? machine_.ended(runtime_.now() - began) : done;
}

asio::awaitable<Result<void>> Watcher::read_stream(http::ResponseStream& stream) {
    SecretBytes buffer;
    for (;;) {
        const bool listing = machine_.state() == WatchMachine::State::streaming;
        const rt::Duration limit = mutated("no-idle-limit") ? std::chrono::hours(9)
                                   : listing                ? list_idle_limit
                                                            : idle_limit;
        auto bytes = co_await rt::with_deadline(runtime_, limit, stream.read());
        if (!bytes)
            co_return bytes.error();
        if (bytes->empty())
            co_return Result<void>(); // the server's time-out: go on from the last version
        heard();
        buffer.append(bytes->expose());
        std::size_t used = 0;
        for (auto end = buffer.expose().find('\n'); end != std::string_view::npos;
             end = buffer.expose().find('\n', used)) {
            if (auto taken = take_line(buffer.expose().substr(used, end - used)); !taken)
                co_return taken.error();
            used = end + 1;
        }
        buffer.erase_front(used);
        if (buffer.size() > max_line_bytes)
            co_return make_error(ErrorClass::unavailable, "a watch event of more than 16 MiB");
    }
}

Result<void> Watcher::take_line(std::string_view line) {
    if (line.empty())
        return {};
    auto document = json::parse(line);
    if (!document)
        return make_error(ErrorClass::invalid, "a watch event that is no JSON");
    const bool listing = machine_.state() == WatchMachine::State::streaming;
    auto effect = machine_.event(classify_watch_event(*document));
    if (!effect)
        return effect.error();
    const json::Value* object = json::find(*document, "object");
    if (listing && *effect == WatchMachine::Effect::put)
        sink_.listed(*object);
    else
        apply(*effect, object);
    return {};
}

void Watcher::apply(WatchMachine::Effect effect, const json::Value* object) {
    switch (effect) {
    case WatchMachine::Effect::none:
        break;
    case WatchMachine::Effect::put:
        sink_.changed(*object);
        break;
    case WatchMachine::Effect::remove:
        sink_.deleted(*object);
        break;
    case WatchMachine::Effect::complete:
        sink_.list_ends();
        trouble_.clear();
        synced_ = true;
        on_synced_();
        break;
    }
}

} // namespace oco::kube
