// A model of the Kubernetes API server: objects, their versions and history, lists in pages and
// streams, watches, merge patches, preconditions, authentication. Where the real one may do one
// thing or the other, the model's dice decide. What it answers is held against a real
// kube-apiserver by the conformance tests.
// https://kubernetes.io/docs/reference/using-api/api-concepts/
#pragma once

#include "network.hpp"

#include <boost/json/object.hpp>

#include <deque>
#include <functional>
#include <list>
#include <optional>

namespace oco::sim {

namespace bj = boost::json;

// What goes wrong at the API server while it is set. Probabilities are for each request.
struct KubeTrouble {
    bool refuses_connections = false;
    bool never_answers_connections = false;
    double error_before = 0;    // 500, 503 or 504, and nothing was done
    double error_after = 0;     // the same, but it was done
    double conflict = 0;        // 409 to a write, and nothing was done
    double too_many = 0;        // 429, half of them with Retry-After
    double reply_lost = 0;      // done, and the connection breaks
    double reply_half = 0;      // done, half of the answer arrives
    double reply_never = 0;     // done, and no answer comes
    double watch_gone = 0;      // 410 to a watch or a continued list, by status or in the stream
    double watch_garbage = 0;   // for each event: an ERROR, or bytes that are none
    double watch_repeats = 0;   // for each event: the last few come again
    rt::Duration slowness{};    // of each answer, at most
    rt::Duration watch_lag{};   // of each event, at most
    rt::Duration watch_delay{}; // of each event, beyond watch_lag
    bool cache_lags = false;    // a read at a version shows that very version
    rt::Duration next_answer_takes{};         // beyond slowness; only this one
    std::map<std::string, int> refused_reads; // status of lists and watches, by plural
    // Namespaces where nothing may be done (403), or nothing with the collections of this plural.
    std::set<std::pair<std::string, std::string>> forbidden{};
};

enum class StreamingLists { offered, refused, unknown };

class KubeModel final : public Server {
  public:
    KubeModel(test::SimRuntime& time, std::uint64_t seed);

    Accept accept() override;
    void request(HttpRequest request, ChannelPointer channel) override;

    KubeTrouble trouble;
    StreamingLists streaming_lists = StreamingLists::offered;
    std::set<std::string> tokens; // accepted bearer tokens; empty: all
    int page_limit = 500;         // no list page is longer, whatever was asked for

    // --- as kubectl would, with all rights and without trouble. `plural` is "secrets" or the like.
    // Creates the object, or replaces all but its status. A nullopt namespace is for cluster scope.
    void apply(const std::string& plural, const std::string& ns, const std::string& name,
               bj::object content);
    bool remove(const std::string& plural, const std::string& ns, const std::string& name);
    // A deletion that a finalizer holds up: the object is there, with a deletionTimestamp, until
    // remove().
    bool terminate(const std::string& plural, const std::string& ns, const std::string& name);
    // RFC 7386, on the whole object, status and all.
    bool merge(const std::string& plural, const std::string& ns, const std::string& name,
               const bj::object& patch);
    [[nodiscard]] const bj::object* find(const std::string& plural, const std::string& ns,
                                         const std::string& name) const;
    [[nodiscard]] std::vector<const bj::object*> all(const std::string& plural) const;

    // Forgets the history: who watches from an older version is told 410.
    void compact();
    // As after a restart: no watch, no continue token.
    void restart();

    // A backup of etcd, and the same after it was restored: all is as it was, versions included.
    void back_up();
    void restore();

    // Told of each request as it comes.
    std::function<void(const HttpRequest&)> on_request;
    // Told of each write that changed something, with the object as it is now; and of each
    // deletion, with the last version, that of the deletion.
    std::function<void(const std::string& plural, const bj::object&)> on_written;
    std::function<void(const std::string& plural, const bj::object&)> on_removed;
    // Told when a client has taken a list or an event to the end: it was shown all of the
    // collection up to this version.
    std::function<void(const std::string& client, const std::string& plural, std::uint64_t version)>
        on_shown;

    // Told when a client's write was done, and when that client has taken the answer: with some
    // troubles it never does.
    std::function<void(const std::string& client, const std::string& plural,
                       const std::pair<std::string, std::string>& name)>
        on_write, on_write_answered;

    // Whose request is being carried out, while on_written is called; empty: a user's.
    [[nodiscard]] const std::string& writer() const { return writer_; }

    // Lists in pages count by the page; streamed ones once.
    struct Counts {
        std::uint64_t requests = 0;
        std::uint64_t lists = 0;
    } counts;

  private:
    struct Collection;

    struct Answer {
        int status = 200;
        bj::value body;
        std::vector<std::pair<std::string, std::string>> headers{};
        // A list's last page shows this much of this collection.
        const Collection* shows = nullptr;
        std::uint64_t shown_to = 0;
        std::function<void()> taken{}; // called when the client has taken it
    };

    using Name = std::pair<std::string, std::string>; // namespace, name

    struct Change {
        std::uint64_t version = 0;
        std::string type; // ADDED, MODIFIED, DELETED
        Name name;
        bj::object object;
    };

    struct Collection {
        std::string plural;
        std::string kind;
        std::string api_version;
        bool namespaced = true;
        std::map<Name, bj::object> objects;
        std::set<Name> unwritten; // since their creation: the defaults of a status are not stored
        std::deque<Change> history;
        std::uint64_t forgotten_to = 0; // versions up to here are not in the history any more
    };

    // Where a request points.
    struct Place {
        Collection* collection = nullptr;
        std::string ns;
        std::string name;
        bool status = false;
    };

    struct Watch {
        Collection* collection = nullptr;
        std::string ns;
        std::string selector;
        bool metadata_only = false;
        ChannelPointer channel;
        rt::TimePoint ends{};
        std::uint64_t from = 0; // nothing up to this version is told
        rt::TimePoint last_event{};
        std::deque<std::string> recent; // lines that may come again
        // It began with objects, and nothing says which of them was the last: whoever reads it for
        // a list has none yet, and takes what follows for more of it.
        bool endless_list = false;
    };

    struct Page {
        Collection* collection = nullptr;
        std::uint64_t version = 0;
        std::vector<bj::object> rest;
    };

    [[nodiscard]] std::optional<Place> place_of(const std::string& path);
    Answer serve(const HttpRequest& request, const Place& place);
    Answer get(const HttpRequest& request, const Place& place);
    Answer list(const HttpRequest& request, const Place& place);
    Answer create(const HttpRequest& request, const Place& place);
    Answer replace(const HttpRequest& request, const Place& place);
    Answer patch(const HttpRequest& request, const Place& place);
    Answer write(Collection& collection, const Name& name, bj::object wanted, bool status);
    Answer forced_error();
    void start_watch(const HttpRequest& request, const Place& place, ChannelPointer channel);
    // `version`: what the event shows the collection up to; 0: nothing.
    void send_event(const std::shared_ptr<Watch>& watch, std::string line, std::uint64_t version);
    void tell(Watch& watch, const std::string& line, std::uint64_t version = 0);
    void note_shown(const ChannelPointer& channel, const std::string& plural,
                    std::uint64_t version) const;
    void bookmark(const std::shared_ptr<Watch>& watch);
    void end_watch(const std::shared_ptr<Watch>& watch);
    void publish(Collection& collection, Change change);
    void reply(const ChannelPointer& channel, const Answer& answer);
    [[nodiscard]] std::string event_line(const Watch& watch, std::string_view type,
                                         const bj::object& object) const;
    [[nodiscard]] bj::object bookmark_object(const Watch& watch, bool ends_initial_events) const;
    static Answer status_answer(int code, std::string_view reason, std::string message);
    static Answer refused(const struct Refusal& refusal);
    static Answer no_object();
    static Answer gone();

    test::SimRuntime& time_;
    Dice dice_;
    std::map<std::string, Collection> collections_; // by plural
    std::uint64_t version_ = 1000;
    std::uint64_t uids_ = 0;
    std::uint64_t pages_made_ = 0;
    std::string writer_;
    std::map<std::string, Page> pages_; // by continue token
    std::map<std::string, Collection> backup_;
    std::uint64_t backup_version_ = 0;
    std::list<std::weak_ptr<Watch>> watches_;
};

} // namespace oco::sim
