// The states of a watched collection, without any I/O: which request comes next, what an event
// means for the view, and how to go on after a failure. Peers: client-go's reflector, kube-rs's
// watcher.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
//
//   streaming --(initial events end)--> watching      one stream is both the list and the watch
//   streaming --(not offered)---------> listing       for good
//   listing ---(last page)------------> watching      from the list's version
//   watching --(410, refresh)---------> streaming or listing
//   watching --(cut, silent)----------> checking      is the server's version older than ours?
//   checking --(it is not)------------> watching
//   checking --(it is)----------------> streaming or listing
#pragma once

#include "base/json.hpp"
#include "rt/runtime.hpp"

#include <deque>
#include <string>

namespace oco::kube {

// One line of a watch's body.
struct WatchEvent {
    enum class Type {
        changed,
        deleted,
        bookmark,
        initial_events_end, // a bookmark, too: the list that was asked for is complete
        expired,            // 410: the version is too old
        error,              // any other ERROR, or what is no event
    } type = Type::error;
    std::string resource_version; // of the object or bookmark
    std::string message;          // of an error
};

// Reads type and version; the object itself is `document["object"]`.
WatchEvent classify_watch_event(const json::Value& document);

class WatchMachine {
  public:
    enum class State {
        listing,   // the next request is for a page
        streaming, // a list as a stream of events, which goes on as a watch
        watching,  // the view is complete and kept up to date
        checking,  // the same, but the server may have been restored from a backup
    };

    // What an event, or a page, means for the view.
    enum class Effect {
        none,
        put,      // an object that is there
        remove,   // an object that is not there any more
        complete, // what the list has not named is gone
    };

    // How to go on after a failure.
    struct Recovery {
        enum class Pause { none, backoff } pause = Pause::backoff;
        rt::Duration least{}; // of the pause, as the server asked
        rt::Duration most = rt::Duration::max();
        bool quiet = false; // not worth a log line
    };

    [[nodiscard]] State state() const { return state_; }

    // While listing: of the next page; empty: the first.
    [[nodiscard]] const std::string& continue_token() const { return continue_token_; }

    // While watching: where to go on from.
    [[nodiscard]] const std::string& version() const { return version_; }

    // The newest that the server was ever at.
    [[nodiscard]] const std::string& newest_version() const { return newest_version_; }

    // Failures in a row: since a list succeeded, a watch brought something, or lived for a while.
    [[nodiscard]] int failures() const { return failures_; }

    // Before each request: gives up a view that a refresh() has called outdated.
    void next();
    // A list begins: what was put by one that was not completed does not count.
    void list_begins();
    // A page has come; its objects were put.
    Result<Effect> page(std::string version, std::string continue_token);
    // The server has accepted a stream. Not yet a success: it may end at once.
    void opened();
    Result<Effect> event(const WatchEvent& event);
    // The stream came to its orderly end after this time.
    Result<void> ended(rt::Duration lived);
    // `lived`: how long the stream that failed had been open.
    Recovery failed(const Error& error, rt::Duration lived = {});
    // While checking: the version that the server is at.
    void checked(const std::string& version);

    // The view may lag behind what the server holds now: it is to be listed again.
    void refresh();

    // Whether that list has yet to begin: an open stream is then useless.
    [[nodiscard]] bool outdated() const { return outdated_; }

    // Whether the view was completed by a list that began after the last refresh().
    [[nodiscard]] bool fresh() const { return fresh_; }

  private:
    void list_again();
    void reached(std::string version);
    void succeeded();
    bool is_repeated(const std::string& version);
    void outlived(rt::Duration lived);

    State state_ = State::streaming;
    std::string continue_token_;
    std::string version_;
    std::string newest_version_;
    std::deque<std::string> recent_; // versions of the last events
    int failures_ = 0;
    int expirations_ = 0; // 410s in a row
    bool streaming_offered_ = true;
    bool fresh_ = false;
    bool outdated_ = false; // no list began since the last refresh()
    bool opened_ = false;   // the present stream was accepted
    bool heard_ = false;    // and has brought an event
};

} // namespace oco::kube
