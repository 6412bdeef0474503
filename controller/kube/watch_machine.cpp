#include "kube/watch_machine.hpp"

#include "base/mutation.hpp"
#include "kube/object.hpp"

#include <algorithm>

namespace oco::kube {
namespace {

// A stream that ends sooner, without an event, is a server's or a proxy's mistake: without a pause
// we would ask again.
constexpr rt::Duration shortest_stream = std::chrono::seconds(1);
// One that has lived so long has done its work: load balancers cut what is silent.
constexpr rt::Duration long_enough = std::chrono::seconds(5);
constexpr std::size_t remembered_events = 32;
constexpr rt::Duration missing_kind_pause = std::chrono::seconds(5);

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
        const bool ends = json::string_at(document, {"object", "metadata", "annotations",
                                                     "k8s.io/initial-events-end"}) == "true";
        event.type = ends ? WatchEvent::Type::initial_events_end : WatchEvent::Type::bookmark;
    } else {
        event.message = "a watch event of an unknown type";
    }
    return event;
}

void WatchMachine::next() {
    if (outdated_)
        list_again();
    opened_ = false;
    heard_ = false;
}

void WatchMachine::list_begins() {
    outdated_ = false;
}

void WatchMachine::opened() {
    opened_ = true;
}

void WatchMachine::succeeded() {
    failures_ = 0;
    heard_ = true;
}

void WatchMachine::list_again() {
    state_ = streaming_offered_ ? State::streaming : State::listing;
    continue_token_.clear();
    version_.clear();
    recent_.clear();
}

Result<WatchMachine::Effect> WatchMachine::page(std::string version, std::string continue_token) {
    if (version.empty())
        return make_error(ErrorClass::unavailable, "a list without a resource version");
    succeeded();
    continue_token_ = std::move(continue_token);
    if (!continue_token_.empty())
        return Effect::none;
    reached(std::move(version));
    state_ = State::watching;
    fresh_ = !outdated_;
    return Effect::complete;
}

// Versions can be compared for equality only, so a repeated event can only be recognized by memory.
// It must not turn the view back.
bool WatchMachine::is_repeated(const std::string& version) {
    if (std::ranges::find(recent_, version) != recent_.end())
        return true;
    recent_.push_back(version);
    if (recent_.size() > remembered_events)
        recent_.pop_front();
    return false;
}

Result<WatchMachine::Effect> WatchMachine::event(const WatchEvent& event) {
    using Type = WatchEvent::Type;
    if (event.type == Type::expired)
        return make_error(ErrorClass::expired, event.message);
    if (event.type == Type::error)
        return make_error(ErrorClass::unavailable, event.message);
    const bool streaming = state_ == State::streaming;
    // A server that does not know of streamed lists never says where the list ends.
    if (streaming && event.type == Type::bookmark)
        return make_error(ErrorClass::refused, "a bookmark before the end of the list");
    succeeded();
    if (streaming && event.type == Type::initial_events_end) {
        reached(event.resource_version);
        state_ = State::watching;
        fresh_ = !outdated_;
        return Effect::complete;
    }
    const bool is_change = event.type == Type::changed || event.type == Type::deleted;
    if (!streaming && is_change && is_repeated(event.resource_version))
        return Effect::none;
    if (!streaming)
        reached(event.resource_version);
    return event.type == Type::changed   ? Effect::put
           : event.type == Type::deleted ? Effect::remove
                                         : Effect::none;
}

Result<void> WatchMachine::ended(rt::Duration lived) {
    if (state_ == State::streaming)
        return make_error(ErrorClass::refused, "the stream ended before the list");
    if (!heard_ && lived < shortest_stream)
        return make_error(ErrorClass::unavailable, "the watch ended at once");
    outlived(lived);
    // A bookmark should have come before the end.
    if (!heard_)
        state_ = State::checking;
    return {};
}

void WatchMachine::reached(std::string version) {
    if (!is_older_version(version, newest_version_))
        newest_version_ = version;
    version_ = std::move(version);
}

void WatchMachine::outlived(rt::Duration lived) {
    if (lived >= long_enough)
        failures_ = expirations_ = 0;
}

void WatchMachine::checked(const std::string& version) {
    if (is_older_version(version, version_))
        return list_again();
    state_ = State::watching;
}

WatchMachine::Recovery WatchMachine::failed(const Error& error, rt::Duration lived) {
    if (outdated_) // we have ended it ourselves
        return {.pause = Recovery::Pause::none, .quiet = true};
    const bool was_watching = state_ == State::watching;
    if (was_watching)
        outlived(lived);
    ++failures_;
    if (state_ == State::streaming && (opened_ || error.kind == ErrorClass::refused)) {
        streaming_offered_ = false; // a list in pages always works
        list_again();
        return {.pause = Recovery::Pause::none, .quiet = true};
    }
    Recovery recovery;
    recovery.quiet = was_watching && lived >= long_enough;
    // It may not be the server that it was before.
    if (was_watching)
        state_ = State::checking;
    if (error.retry_after)
        recovery.least = *error.retry_after;
    switch (error.kind) {
    case ErrorClass::expired:
        if (!mutated("no-relist-after-410"))
            list_again();
        if (++expirations_ == 1) // at once, but not in a loop
            recovery.pause = Recovery::Pause::none;
        failures_ = std::max(failures_, expirations_);
        break;
    case ErrorClass::not_found:
        recovery.most = missing_kind_pause;
        list_again();
        break;
    case ErrorClass::invalid: // what could not be read must not be missed
        list_again();
        break;
    default:
        break;
    }
    return recovery;
}

void WatchMachine::refresh() {
    fresh_ = false;
    outdated_ = true;
}

} // namespace oco::kube
