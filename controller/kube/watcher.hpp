// Keeps a view of one collection: the I/O around a WatchMachine. A list comes as a stream where
// the server offers that, else in pages; then a watch follows, and when the server has forgotten
// where we were, the next list.
#pragma once

#include "kube/client.hpp"
#include "kube/watch_machine.hpp"
#include "rt/event.hpp"

#include <functional>
#include <string>

namespace oco::kube {

// Where a Watcher delivers to. A list replaces all: what it does not name is gone. Until
// list_ends() the view stays as it was; a list that fails on its way begins again.
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

class Watcher {
  public:
    // `on_synced` is called after each list.
    Watcher(rt::Runtime& runtime, Client& client, WatchSpec spec, WatchSink& sink,
            std::function<void()> on_synced);

    // Until cancelled.
    asio::awaitable<void> run();

    // Whether the view was complete once.
    [[nodiscard]] bool synced() const { return synced_; }

    // Lists again: for who needs to know what the server holds from now on, as a new leader does.
    // fresh() tells when that is done.
    void refresh();

    [[nodiscard]] bool fresh() const { return machine_.fresh(); }

    // Why it is not synced, or not up to date; empty when all is well.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }

    // When the API server last answered, with whatever status; the start of run() before.
    [[nodiscard]] rt::TimePoint answered_at() const { return answered_at_; }

    // When it last delivered something, a bookmark for one; the start of run() before.
    [[nodiscard]] rt::TimePoint heard_at() const { return heard_at_; }

    // "secrets"
    [[nodiscard]] const std::string& resource() const { return spec_.resource.plural; }

    // "secrets in namespace a"
    [[nodiscard]] std::string label() const;

  private:
    asio::awaitable<Result<void>> list_page();
    asio::awaitable<Result<void>> follow();
    asio::awaitable<Result<void>> read_stream(http::ResponseStream& stream);
    Result<void> take_line(std::string_view line);
    void apply(WatchMachine::Effect effect, const json::Value* object);
    asio::awaitable<void> recover(Error error);
    [[nodiscard]] std::string target(std::string_view parameters) const;
    void heard();

    rt::Runtime& runtime_;
    Client& client_;
    WatchSpec spec_;
    WatchSink& sink_;
    std::function<void()> on_synced_;
    WatchMachine machine_;
    std::string trouble_;
    rt::Event wake_; // ends a pause
    rt::TimePoint answered_at_;
    rt::TimePoint heard_at_;
    http::ResponseStream* open_ = nullptr; // the stream that is being read
    bool synced_ = false;
};

} // namespace oco::kube
