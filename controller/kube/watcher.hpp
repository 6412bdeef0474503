// Keeps a view of one collection: the I/O around a WatchMachine. A list comes as a stream where
// the server offers that, else in pages; then a watch follows, and when the server has forgotten
// where we were, the next list.
#pragma once

#include "kube/client.hpp"
#include "kube/page_size.hpp"
#include "kube/watch_machine.hpp"
#include "rt/event.hpp"

#include <functional>
#include <optional>
#include <string>

namespace oco::kube {

// Where a Watcher delivers to. A list replaces everything: what it does not contain is gone. Until
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
    // `on_synced` is called after each list, `on_refusal` when refused_since() changes.
    Watcher(
        rt::Runtime& runtime, Client& client, WatchSpec spec, WatchSink& sink,
        std::function<void()> on_synced, std::function<void()> on_refusal = [] {});

    // Until cancelled.
    asio::awaitable<void> run();

    // Whether the view was complete once.
    [[nodiscard]] bool synced() const { return synced_; }

    // Lists again: for callers that need the server's state from now on, such as a new leader.
    // fresh() says when that is done.
    void refresh();

    [[nodiscard]] bool fresh() const { return machine_.fresh(); }

    // Why it is not synced, or not up to date; empty when all is well.
    [[nodiscard]] const std::string& trouble() const { return trouble_; }

    // Since when the API server refuses it: for want of a right, or because it does not know the
    // kind or the namespace; nullopt: it does not.
    [[nodiscard]] std::optional<rt::TimePoint> refused_since() const { return refused_since_; }

    // When the API server last responded, with any status; before that, the start of run().
    [[nodiscard]] rt::TimePoint answered_at() const { return answered_at_; }

    // When it last delivered something, including bookmarks; before that, the start of run().
    [[nodiscard]] rt::TimePoint heard_at() const { return heard_at_; }

    // What the view is at; empty: no list was completed yet.
    [[nodiscard]] const std::string& version() const { return machine_.version(); }

    [[nodiscard]] const std::string& newest_version() const { return machine_.newest_version(); }

    // "secrets"
    [[nodiscard]] const std::string& resource() const { return spec_.resource.plural; }

    // "secrets in namespace a"
    [[nodiscard]] std::string label() const;

  private:
    asio::awaitable<Result<void>> check();
    asio::awaitable<Result<void>> list_page();
    asio::awaitable<Result<void>> follow();
    asio::awaitable<Result<void>> read_stream(http::ResponseStream& stream);
    Result<void> take_line(std::string_view line);
    void apply(WatchMachine::Effect effect, const json::Value* object);
    asio::awaitable<void> recover(Error error);
    [[nodiscard]] std::string target(std::string_view parameters) const;
    void heard();
    void note_refusal(bool refused);

    rt::Runtime& runtime_;
    Client& client_;
    WatchSpec spec_;
    WatchSink& sink_;
    std::function<void()> on_synced_;
    std::function<void()> on_refusal_;
    WatchMachine machine_;
    PageSize page_size_;
    std::string trouble_;
    std::optional<rt::TimePoint> refused_since_;
    rt::Event wake_; // ends a pause
    rt::TimePoint answered_at_;
    rt::TimePoint heard_at_;
    rt::Duration lived_{};                 // the last stream
    http::ResponseStream* open_ = nullptr; // the stream that is being read
    bool synced_ = false;
};

} // namespace oco::kube
