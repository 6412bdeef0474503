// Events (events.k8s.io/v1): kube::EventRecorder itself, and what the server refuses.
#include "kube/events.hpp"
#include "steps.hpp"

namespace oco::conformance {
namespace {

using asio::awaitable;
using namespace kube::resources;

awaitable<json::Document> wait_for(Watch& watch, std::string wanted) {
    Seen seen = co_await watch.next();
    check_equal(seen.type, wanted, "event");
    co_return std::move(seen.document);
}

awaitable<void> record_and_read(Server& server, kube::EventRecorder& recorder, std::string ns) {
    const auto made = co_await create(server, omni_connections, ns, connection("a"));
    auto watch = co_await Watch::open(server, events, ns, "timeoutSeconds=60");
    const kube::EventRecord record{.regarding = {.api_version = "omniconnection.io/v1alpha1",
                                                 .kind = "OmniConnection",
                                                 .meta = kube::decode_meta(made)},
                                   .type = kube::EventType::warning,
                                   .reason = "Refused",
                                   .action = "Push",
                                   .note = "what happened"};
    recorder.record(record);
    const auto first = co_await wait_for(watch, "ADDED");
    const json::Value& event = *json::find(first, "object");
    check_equal(json::string_at(event, "reason"), "Refused", "reason");
    check_equal(json::string_at(event, "action"), "Push", "action");
    check_equal(json::string_at(event, "type"), "Warning", "type");
    check_equal(json::string_at(event, "note"), "what happened", "note");
    check_equal(json::string_at(event, {"regarding", "uid"}), uid_of(made), "regarding");
    check(json::find(event, "series") == nullptr || json::find(event, "series")->IsNull(),
          "one is no series");
    for (const int count : {2, 3}) {
        recorder.record(record);
        const auto more = co_await wait_for(watch, "MODIFIED");
        check(number_at(more, {"object", "series", "count"}) == count, "the series counts");
        check_equal(uid_of(*json::find(more, "object")), uid_of(event), "the same Event");
    }
    kube::EventRecord other = record;
    other.note = "something else";
    recorder.record(other);
    const auto second = co_await wait_for(watch, "ADDED");
    check_equal(json::string_at(second, {"object", "note"}), "something else", "note");
}

awaitable<void> recorder(Server& server, std::string ns) {
    kube::EventRecorder recorder(server.runtime(), server.client(), "omniconnection.io/operator",
                                 "conformance");
    co_await beside(server.runtime(), recorder.run(), record_and_read(server, recorder, ns));
}

std::string event(const std::string& ns, std::string_view left_out) {
    json::Writer body;
    body.begin_object()
        .member("apiVersion", "events.k8s.io/v1")
        .member("kind", "Event")
        .field("metadata")
        .begin_object()
        .member("name", left_out.empty() ? "whole" : "half")
        .end_object()
        .field("regarding")
        .begin_object()
        .member("namespace", ns)
        .member("kind", "OmniConnection")
        .member("name", "a")
        .end_object()
        .member("note", "n");
    constexpr std::pair<std::string_view, std::string_view> members[] = {
        {"eventTime", "2026-01-01T00:00:00.000000Z"},
        {"reportingController", "omniconnection.io/operator"},
        {"reportingInstance", "conformance"},
        {"reason", "Refused"},
        {"action", "Push"},
        {"type", "Warning"}};
    for (const auto& [name, value] : members)
        if (name != left_out)
            body.member(name, value);
    body.end_object();
    return body.str();
}

awaitable<void> events_refused(Server& server, std::string ns) {
    auto& client = server.client();
    for (const char* name :
         {"eventTime", "reportingController", "reportingInstance", "reason", "action", "type"})
        refused(co_await client.create(events.collection(ns), event(ns, name)), 422, name);
    must(co_await client.create(events.collection(ns), event(ns, {})));
    const std::string path = events.object(ns, "whole");
    refused(co_await client.merge_patch(path, R"({"note":"m"})"), 422, "immutable");
    refused(co_await client.merge_patch(
                path, R"({"series":{"count":1,"lastObservedTime":"2026-01-01T00:00:00.000000Z"}})"),
            422, "at least 2");
    must(co_await client.merge_patch(
        path, R"({"series":{"count":2,"lastObservedTime":"2026-01-01T00:00:00.000000Z"}})"));
    check_equal(names_in(co_await list(server, events, ns)), {"whole"}, "objects");
}

} // namespace

std::vector<Case> event_cases() {
    return {{"the recorder of Events", recorder}, {"no such Event", events_refused}};
}

} // namespace oco::conformance
