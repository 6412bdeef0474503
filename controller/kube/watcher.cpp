#include "kube/watcher.hpp"

#include "base/log.hpp"
#include "base/mutation.hpp"
#include "rt/backoff.hpp"
#include "rt/deadline.hpp"

namespace oco::kube {
namespace {

// The server ends a watch sooner than one may be silent: what is silent for longer is dead. (To
// wait for bookmarks takes longer: they come about once a minute, and two seconds before the end,
// but not before an API server has seen the first change of a kind.)
constexpr int watch_seconds = 40;
constexpr int watch_spread_seconds = 10;
constexpr rt::Duration idle_limit = std::chrono::seconds(55);
// One that begins with a list, which may take long.
constexpr int list_seconds = 300;
// Within a list that is streamed, events follow each other closely.
constexpr rt::Duration list_idle_limit = std::chrono::seconds(15);
constexpr rt::BackoffPolicy watch_backoff{.first = std::chrono::milliseconds(800),
                                          .longest = std::chrono::seconds(30)};
// While nothing can be done without it.
constexpr rt::Duration longest_pause_unsynced = std::chrono::seconds(5);

bool is_missing_kind(const Error& error) {
    return error.kind == ErrorClass::not_found;
}

std::string explained(const Error& error, const WatchSpec& spec) {
    const std::string& ns = spec.ns;
    if (is_missing_kind(error) && spec.resource.group.empty())
        return "the server does not know this kind, as each Kubernetes API server does; correct "
               "its address";
    if (is_missing_kind(error))
        return "the API server does not know this kind; install the CRDs (kubectl apply -f crds/)";
    if (error.kind != ErrorClass::forbidden)
        return error.message;
    // Where a namespace does not exist there is no Role in it either.
    return error.message + "; give the operator's service account this right" +
           (ns.empty() ? ""
                       : " there, and if namespace " + ns +
                             " does not exist, create it or correct --namespace");
}

} // namespace

Watcher::Watcher(rt::Runtime& runtime, Client& client, WatchSpec spec, WatchSink& sink,
                 std::function<void()> on_synced, std::function<void()> on_refusal)
    : runtime_(runtime), client_(client), spec_(std::move(spec)), sink_(sink),
      on_synced_(std::move(on_synced)), on_refusal_(std::move(on_refusal)), wake_(runtime),
      answered_at_(runtime.now()), heard_at_(runtime.now()) {}

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

void Watcher::note_refusal(bool refused) {
    if (refused == refused_since_.has_value())
        return;
    refused_since_ = refused ? std::optional(runtime_.now()) : std::nullopt;
    on_refusal_();
}

asio::awaitable<void> Watcher::run() {
    for (;;) {
        machine_.next();
        lived_ = {};
        using State = WatchMachine::State;
        const State state = machine_.state();
        auto done = state == State::checking  ? co_await check()
                    : state == State::listing ? co_await list_page()
                                              : co_await follow();
        if (done) {
            trouble_.clear();
            note_refusal(false);
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
    const auto recovery = machine_.failed(error, lived_);
    if (!recovery.quiet) {
        std::string trouble = label() + ": " + explained(error, spec_);
        const bool news = trouble != trouble_;
        trouble_ = std::move(trouble);
        log::write(news ? log::Level::warn : log::Level::debug,
                   is_missing_kind(error) && !spec_.resource.group.empty()
                       ? "waiting for the CRDs to be installed"
                       : "watch interrupted",
                   {{"resource", label()}, {"error", trouble_}});
        note_refusal(error.kind == ErrorClass::forbidden || error.kind == ErrorClass::not_found);
    }
    if (recovery.pause == WatchMachine::Recovery::Pause::none)
        co_return;
    const rt::Duration most = synced_ ? recovery.most : longest_pause_unsynced;
    const rt::Duration pause = std::max(
        recovery.least, std::min(most, rt::backoff(runtime_, watch_backoff, machine_.failures())));
    co_await wake_.wait_until(runtime_, runtime_.now() + pause);
}

// An API server that was restored from a backup is at an older version than we are, and a watch
// from ours brings nothing.
asio::awaitable<Result<void>> Watcher::check() {
    auto page = co_await client_.get(target("limit=1"), Accept::metadata_list_only);
    if (!page)
        co_return page.error();
    heard();
    machine_.checked(std::string(json::string_at(*page, {"metadata", "resourceVersion"})));
    if (machine_.state() != WatchMachine::State::watching)
        log::warn("the API server is at an older version than before, as if it was restored from a "
                  "backup: listing again",
                  {{"resource", label()}});
    co_return Result<void>();
}

// --- lists in pages ----------------------------------------------------------------------------

asio::awaitable<Result<void>> Watcher::list_page() {
    std::string parameters = "limit=" + std::to_string(page_size_.objects());
    if (machine_.continue_token().empty()) {
        machine_.list_begins();
        sink_.list_begins();
    } else {
        parameters.append("&continue=").append(http::percent_encode(machine_.continue_token()));
    }
    auto page = co_await client_.get(
        target(parameters), spec_.metadata_only ? Accept::metadata_list_only : Accept::object);
    if (!page) {
        if (page.error().kind == ErrorClass::too_large && page_size_.was_too_large())
            co_return Result<void>(); // less of it next
        co_return page.error();
    }
    heard();
    if (const json::Value* items = json::find(*page, "items"); items && items->IsArray()) {
        page_size_.came(items->Size(), page->GetAllocator().Size());
        for (const auto& item : items->GetArray())
            sink_.listed(item);
    }
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
    const bool lists = machine_.state() == WatchMachine::State::streaming;
    // Spread out, so that a crowd of watches does not come back at once.
    const int seconds = (lists ? list_seconds : watch_seconds) +
                        static_cast<int>(watch_spread_seconds * runtime_.random_unit());
    std::string parameters =
        "watch=1&allowWatchBookmarks=true&timeoutSeconds=" + std::to_string(seconds);
    if (lists) {
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
    if (machine_.state() == WatchMachine::State::watching) {
        trouble_.clear();
        note_refusal(false);
    }

    struct Opened { // also when this is cancelled
        http::ResponseStream*& open;

        ~Opened() { open = nullptr; }
    } const opened{open_};

    open_ = stream->get();
    const auto began = runtime_.now();
    auto done = co_await read_stream(**stream);
    lived_ = runtime_.now() - began;
    co_return done ? machine_.ended(lived_) : done;
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
        if (buffer.size() > max_answer_bytes)
            co_return make_error(ErrorClass::unavailable, "a watch event of more than 16 MiB");
    }
}

Result<void> Watcher::take_line(std::string_view line) {
    if (line.empty())
        return {};
    auto document = json::parse(line);
    if (!document)
        return make_error(ErrorClass::invalid, "a watch event that is not JSON");
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
        note_refusal(false);
        synced_ = true;
        on_synced_();
        break;
    }
}

} // namespace oco::kube
