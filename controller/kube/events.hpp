// Kubernetes Events (events.k8s.io/v1), written in the background, so that they never hold up work.
// Repeated Events become one series, and the number per object is limited (EventLimits).
//
// Not guaranteed: that an Event is written. It is dropped if the API server does not accept it at
// the second attempt.
#pragma once

#include "kube/client.hpp"
#include "kube/event_limits.hpp"
#include "kube/object.hpp"
#include "rt/event.hpp"

#include <deque>
#include <map>
#include <optional>

namespace oco::kube {

struct ObjectReference {
    std::string api_version;
    std::string kind;
    ObjectMeta meta;
};

enum class EventType { normal, warning };

struct EventRecord {
    ObjectReference regarding;
    EventType type = EventType::normal;
    std::string reason; // CamelCase
    std::string action; // what was tried: "Reconcile", "Push"
    std::string note;   // at most 512 bytes, printable
};

class EventRecorder {
  public:
    EventRecorder(rt::Runtime& runtime, Client& client, std::string controller,
                  std::string instance);

    // Dropped when the object caused too many, or too many are waiting; both is logged.
    void record(EventRecord event);
    // Sends what was recorded, until cancelled.
    asio::awaitable<void> run();

  private:
    struct Series {
        std::string name; // of the Event object
        int count = 1;
        rt::TimePoint last{};
    };

    asio::awaitable<void> send_waiting();
    void tell_suppressed();
    asio::awaitable<void> send(EventRecord event);
    asio::awaitable<Result<json::Document>> send_once(const EventRecord& event, std::string name,
                                                      std::optional<Series> repeats);
    asio::awaitable<Result<json::Document>> send_first(const EventRecord& event, std::string name);
    asio::awaitable<Result<json::Document>> send_repeat(const EventRecord& event, Series series);
    void forget_old_series();

    rt::Runtime& runtime_;
    Client& client_;
    std::string controller_;
    std::string instance_;
    std::deque<EventRecord> waiting_;
    std::map<std::string, Series> series_; // by object, reason and note
    EventLimits limits_;
    std::optional<rt::TimePoint> tell_at_; // how many were suppressed
    std::size_t dropped_ = 0;              // in a row, since too many wait
    rt::Event changed_;
};

} // namespace oco::kube
