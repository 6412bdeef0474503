// Kubernetes Events (events.k8s.io/v1), written in the background: they inform, and never hold up
// work. Repeated ones become one series.
#pragma once

#include "kube/client.hpp"
#include "kube/object.hpp"
#include "rt/event.hpp"

#include <deque>
#include <map>

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

    // Dropped, with a line in the log, when too many wait.
    void record(EventRecord event);
    // Sends what was recorded, until cancelled.
    asio::awaitable<void> run();

  private:
    struct Series {
        std::string name; // of the Event object
        int count = 1;
        rt::TimePoint last{};
    };

    asio::awaitable<void> send(EventRecord event);
    asio::awaitable<Result<json::Document>> send_first(const EventRecord& event, std::string name);
    asio::awaitable<Result<json::Document>> send_repeat(const EventRecord& event, Series series);
    void forget_old_series();

    rt::Runtime& runtime_;
    Client& client_;
    std::string controller_;
    std::string instance_;
    std::deque<EventRecord> waiting_;
    std::map<std::string, Series> series_; // by object, reason and note
    rt::Event changed_;
};

} // namespace oco::kube
