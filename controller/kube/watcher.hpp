// Keeps a view of one collection: list, then watch from there, and list anew when the server has
// forgotten where we were. Peer: client-go's reflector.
#pragma once

#include "kube/client.hpp"

#include <functional>
#include <string>

namespace oco::kube {

// Where a Watcher delivers to. A list replaces all: what it does not name is gone.
class WatchSink {
  public:
    WatchSink() = default;
    WatchSink(const WatchSink&) = delete;
    WatchSink& operator=(const WatchSink&) = delete;
    virtual ~WatchSink() = default;

    virtual void list_begins() = 0;
    virtual void listed(const json::Value& object) = 0;
    virtual void list_ends() = 0;
    virtual void changed(const json::Value& object) = 0;
    virtual void deleted(const json::Value& object) = 0;
};

struct WatchSpec {
    Resource resource;
    std::string ns;             // empty: all
    std::string field_selector; // empty: none
    bool metadata_only = false;
};

// One line of a watch's body.
struct WatchEvent {
    enum class Type { changed, deleted, bookmark, expired, error } type = Type::error;
    std::string resource_version; // of the object or bookmark
    std::string message;          // of an error
};

// Reads type and version; the object itself is `document["object"]`.
WatchEvent classify_watch_event(const json::Value& document);

class Watcher {
  public:
    struct Hooks {
        std::function<void()> synced;   // after each list
        std::function<void()> activity; // after each answer or event
    };

    Watcher(rt::Runtime& runtime, Client& client, WatchSpec spec, WatchSink& sink, Hooks hooks);

    // Until cancelled.
    asio::awaitable<void> run();

    [[nodiscard]] bool synced() const { return synced_; }

    // Why it is not synced, or not up to date; empty when all is well.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }

    // When the API server last answered, with whatever status; the start of run() before.
    [[nodiscard]] rt::TimePoint answered_at() const { return answered_at_; }

    // "secrets in namespace a"
    [[nodiscard]] std::string label() const;

  private:
    asio::awaitable<Result<void>> list();
    asio::awaitable<Result<void>> watch();
    Result<void> take_line(std::string_view line);
    asio::awaitable<void> recover(Error error);

    rt::Runtime& runtime_;
    Client& client_;
    WatchSpec spec_;
    WatchSink& sink_;
    Hooks hooks_;
    std::string resource_version_; // empty: a list is due
    std::string trouble_;
    rt::TimePoint answered_at_{};
    int failures_ = 0;
    bool synced_ = false;
};

} // namespace oco::kube
