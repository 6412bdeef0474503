#include "kube/watcher.hpp"

#include "base/log.hpp"
#include "rt/backoff.hpp"
#include "rt/deadline.hpp"

namespace oco::kube {
namespace {

constexpr std::string_view page_size = "500";
constexpr std::size_t max_line_bytes = std::size_t{16} << 20;
// Bookmarks come about once a minute, so that a silent watch is a dead one.
constexpr rt::Duration idle_limit = std::chrono::minutes(3);
constexpr rt::BackoffPolicy watch_backoff{.first = std::chrono::milliseconds(800),
                                          .longest = std::chrono::seconds(30)};

bool is_missing_kind(const Error& error) {
    return error.kind == ErrorClass::not_found;
}

} // namespace

WatchEvent classify_watch_event(const json::Value& document) {
    WatchEvent event;
    const auto type = json::string_at(document, "type");
    event.resource_version = json::string_at(document, {"object", "metadata", "resourceVersion"});
    if (type == "ERROR") {
        const json::Value* status = json::find(document, "object");
        const auto code = status == nullptr ? 0 : json::int_at(*status, "code").value_or(0);
        event.type = code == 410 ? WatchEvent::Type::expired : WatchEvent::Type::error;
        event.message = json::string_at(document, {"object", "message"});
    } else if (event.resource_version.empty()) {
        event.message = "a watch event without a resource version";
    } else if (type == "ADDED" || type == "MODIFIED") {
        event.type = WatchEvent::Type::changed;
    } else if (type == "DELETED") {
        event.type = WatchEvent::Type::deleted;
    } else if (type == "BOOKMARK") {
        event.type = WatchEvent::Type::bookmark;
    } else {
        event.message = "a watch event of an unknown type";
    }
    return event;
}

Watcher::Watcher(rt::Runtime& runtime, Client& client, WatchSpec spec, WatchSink& sink, Hooks hooks)
    : runtime_(runtime), client_(client), spec_(std::move(spec)), sink_(sink),
      hooks_(std::move(hooks)) {}

std::string Watcher::label() const {
    return spec_.resource.plural + (spec_.ns.empty() ? "" : " in namespace " + spec_.ns);
}

asio::awaitable<void> Watcher::run() {
    answered_at_ = runtime_.now();
    for (;;) {
        auto done = resource_version_.empty() ? co_await list() : co_await watch();
        if (done || done.error().http_status != 0)
            answered_at_ = runtime_.now();
        if (done) {
            failures_ = 0;
            trouble_.clear();
        } else {
            co_await recover(done.error());
        }
    }
}

asio::awaitable<void> Watcher::recover(Error error) {
    if (error.kind == ErrorClass::expired || error.kind == ErrorClass::not_found)
        resource_version_.clear();
    if (error.kind == ErrorClass::expired && failures_ == 0) {
        ++failures_;
        co_return; // list at once, but not in a loop
    }
    ++failures_;
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
    rt::Duration pause = rt::backoff(runtime_, watch_backoff, failures_);
    if (is_missing_kind(error))
        pause = std::min<rt::Duration>(pause, std::chrono::seconds(5));
    if (error.retry_after)
        pause = std::max<rt::Duration>(pause, *error.retry_after);
    co_await runtime_.sleep(pause);
}

asio::awaitable<Result<void>> Watcher::list() {
    std::string continue_token;
    std::string version;
    sink_.list_begins();
    do {
        std::string target = spec_.resource.collection(spec_.ns);
        target.append("?limit=").append(page_size);
        if (!spec_.field_selector.empty())
            target.append("&fieldSelector=").append(http::percent_encode(spec_.field_selector));
        if (!continue_token.empty())
            target.append("&continue=").append(http::percent_encode(continue_token));
        auto page = co_await client_.get(target, spec_.metadata_only ? Accept::metadata_list_only
                                                                     : Accept::object);
        if (!page)
            co_return page.error();
        hooks_.activity();
        version = json::string_at(*page, {"metadata", "resourceVersion"});
        continue_token = json::string_at(*page, {"metadata", "continue"});
        if (const json::Value* items = json::find(*page, "items"); items && items->IsArray())
            for (const auto& item : items->GetArray())
                sink_.listed(item);
    } while (!continue_token.empty());
    if (version.empty())
        co_return make_error(ErrorClass::unavailable, "a list without a resource version");
    sink_.list_ends();
    resource_version_ = version;
    synced_ = true;
    hooks_.synced();
    co_return Result<void>();
}

asio::awaitable<Result<void>> Watcher::watch() {
    // Spread out, so that a crowd of watches does not come back at once.
    const int lifetime_seconds = 300 + static_cast<int>(300 * runtime_.random_unit());
    std::string target = spec_.resource.collection(spec_.ns);
    target.append("?watch=1&allowWatchBookmarks=true&timeoutSeconds=")
        .append(std::to_string(lifetime_seconds))
        .append("&resourceVersion=")
        .append(http::percent_encode(resource_version_));
    if (!spec_.field_selector.empty())
        target.append("&fieldSelector=").append(http::percent_encode(spec_.field_selector));
    auto stream = co_await client_.watch(target, spec_.metadata_only ? Accept::metadata_only
                                                                     : Accept::object);
    if (!stream)
        co_return stream.error();
    trouble_.clear();
    answered_at_ = runtime_.now();
    SecretBytes buffer;
    for (;;) {
        auto bytes = co_await rt::with_deadline(runtime_, idle_limit, (*stream)->read());
        if (!bytes)
            co_return bytes.error();
        if (bytes->empty())
            co_return Result<void>(); // the server's time-out: go on from the last version
        failures_ = 0;
        answered_at_ = runtime_.now();
        hooks_.activity();
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
        return document.error();
    const WatchEvent event = classify_watch_event(*document);
    switch (event.type) {
    case WatchEvent::Type::changed:
        sink_.changed(*json::find(*document, "object"));
        break;
    case WatchEvent::Type::deleted:
        sink_.deleted(*json::find(*document, "object"));
        break;
    case WatchEvent::Type::bookmark:
        break;
    case WatchEvent::Type::expired:
        return make_error(ErrorClass::expired, event.message);
    case WatchEvent::Type::error:
        return make_error(ErrorClass::unavailable, event.message);
    }
    resource_version_ = event.resource_version;
    return {};
}

} // namespace oco::kube
