#include "kube/events.hpp"

#include "base/log.hpp"
#include "rt/deadline.hpp"

namespace oco::kube {
namespace {

constexpr std::size_t max_waiting = 1000;
constexpr std::size_t max_series = 4000;
// As client-go: an event that comes again within this time continues its series.
constexpr rt::Duration series_window = std::chrono::minutes(6);
// For one attempt. It is short, because the queue stands still meanwhile.
constexpr rt::Duration event_deadline = std::chrono::seconds(5);
constexpr rt::Duration retry_pause = std::chrono::seconds(1);
// How often a line reports what was suppressed.
constexpr rt::Duration suppressed_interval = std::chrono::minutes(1);

bool worth_a_retry(const Error& error) {
    return error.kind == ErrorClass::rate_limited || error.kind == ErrorClass::unavailable;
}

// What an object's name is cut to must end as a part of a name may.
std::string name_prefix(const std::string& name) {
    const std::string cut = name.substr(0, 200);
    return cut.substr(0, cut.find_last_not_of(".-") + 1);
}

// Nothing can be created there any more, which is nobody's fault.
bool is_terminating(const Error& error) {
    return error.kind == ErrorClass::forbidden &&
           error.message.find("because it is being terminated") != std::string::npos;
}

std::string series_key(const EventRecord& event) {
    return event.regarding.meta.uid + "/" + event.reason + "/" + event.note;
}

} // namespace

EventRecorder::EventRecorder(rt::Runtime& runtime, Client& client, std::string controller,
                             std::string instance)
    : runtime_(runtime), client_(client), controller_(std::move(controller)),
      instance_(std::move(instance)), changed_(runtime) {}

void EventRecorder::record(EventRecord event) {
    if (!limits_.allow(event.regarding.meta.uid, runtime_.now())) {
        if (!tell_at_) {
            tell_at_ = runtime_.now() + suppressed_interval;
            changed_.notify();
        }
        return;
    }
    if (waiting_.size() >= max_waiting) {
        if (++dropped_ == 1)
            log::warn("Events dropped: too many are waiting to be written",
                      {{"object", event.regarding.meta.key.str()}, {"reason", event.reason}});
        return;
    }
    dropped_ = 0;
    waiting_.push_back(std::move(event));
    changed_.notify();
}

asio::awaitable<void> EventRecorder::run() {
    for (;;) {
        co_await send_waiting();
        if (!tell_at_) {
            co_await changed_.wait();
            continue;
        }
        co_await changed_.wait_until(runtime_, *tell_at_);
        if (runtime_.now() >= *tell_at_)
            tell_suppressed();
    }
}

asio::awaitable<void> EventRecorder::send_waiting() {
    while (!waiting_.empty()) {
        EventRecord next = std::move(waiting_.front());
        waiting_.pop_front();
        co_await send(std::move(next));
    }
}

void EventRecorder::tell_suppressed() {
    tell_at_.reset();
    log::debug("Events suppressed: too many for their objects",
               {{"count", limits_.take_suppressed()}});
}

asio::awaitable<void> EventRecorder::send(EventRecord event) {
    forget_old_series();
    const std::string key = series_key(event);
    const auto known = series_.find(key);
    const bool repeat =
        known != series_.end() && runtime_.now() - known->second.last < series_window;
    if (repeat) {
        ++known->second.count;
        known->second.last = runtime_.now();
    }
    const std::string name =
        repeat ? known->second.name
               : name_prefix(event.regarding.meta.key.name) + "." + runtime_.random_name();
    const std::optional<Series> repeats = repeat ? std::optional(known->second) : std::nullopt;
    auto done = co_await send_once(event, name, repeats);
    if (!done && worth_a_retry(done.error())) {
        co_await runtime_.sleep(retry_pause);
        done = co_await send_once(event, name, repeats);
        if (!done && done.error().kind == ErrorClass::conflict)
            co_return; // the first try had arrived
    }
    if (!done) {
        series_.erase(key);
        const bool expected =
            is_terminating(done.error()) || done.error().kind == ErrorClass::not_found;
        log::write(expected ? log::Level::debug : log::Level::warn, "Event not written",
                   {{"object", event.regarding.meta.key.str()},
                    {"reason", event.reason},
                    {"error", done.error().message}});
    } else if (!repeat) {
        series_[key] = {.name = name, .count = 1, .last = runtime_.now()};
    }
}

asio::awaitable<Result<json::Document>> EventRecorder::send_once(const EventRecord& event,
                                                                 std::string name,
                                                                 std::optional<Series> repeats) {
    co_return co_await rt::with_deadline(runtime_, event_deadline,
                                         repeats ? send_repeat(event, std::move(*repeats))
                                                 : send_first(event, std::move(name)));
}

asio::awaitable<Result<json::Document>> EventRecorder::send_first(const EventRecord& event,
                                                                  std::string name) {
    const auto& meta = event.regarding.meta;
    json::Writer body;
    body.begin_object()
        .member("apiVersion", "events.k8s.io/v1")
        .member("kind", "Event")
        .field("metadata")
        .begin_object()
        .member("name", name)
        .member("namespace", meta.key.ns)
        .end_object()
        .member("eventTime", format_rfc3339_micro(runtime_.wall_now()))
        .member("reportingController", controller_)
        .member("reportingInstance", instance_)
        .member("action", event.action)
        .member("reason", event.reason)
        .member("type", event.type == EventType::normal ? "Normal" : "Warning")
        .member("note", event.note)
        .field("regarding")
        .begin_object()
        .member("apiVersion", event.regarding.api_version)
        .member("kind", event.regarding.kind)
        .member("namespace", meta.key.ns)
        .member("name", meta.key.name)
        .member("uid", meta.uid)
        .member("resourceVersion", meta.resource_version)
        .end_object()
        .end_object();
    return client_.create(resources::events.collection(meta.key.ns), body.str());
}

asio::awaitable<Result<json::Document>> EventRecorder::send_repeat(const EventRecord& event,
                                                                   Series series) {
    json::Writer body;
    body.begin_object()
        .field("series")
        .begin_object()
        .member("count", series.count)
        .member("lastObservedTime", format_rfc3339_micro(runtime_.wall_now()))
        .end_object()
        .end_object();
    return client_.merge_patch(resources::events.object(event.regarding.meta.key.ns, series.name),
                               body.str());
}

void EventRecorder::forget_old_series() {
    if (series_.size() < max_series)
        return;
    std::erase_if(series_, [&](const auto& entry) {
        return runtime_.now() - entry.second.last >= series_window;
    });
    if (series_.size() >= max_series)
        series_.clear();
}

} // namespace oco::kube
