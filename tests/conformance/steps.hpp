// What the cases are made of: objects, and watches read event by event.
#pragma once

#include "check.hpp"
#include "server.hpp"

#include <functional>

namespace oco::conformance {

// Longer than anything should take, also on a busy machine.
inline constexpr rt::Duration patience = std::chrono::seconds(60);

// {"metadata":{"name":...},"type":...,"data":{"value":...}}; `type` may be empty.
std::string secret(std::string_view name, std::string_view value, std::string_view type = {});
// `extra` stands in its spec: `,"queryTimeout":1`
std::string connection(std::string_view name, std::string_view extra = {});
std::string lease(std::string_view name, std::string_view holder, std::string_view version = {});

std::string version_of(const json::Value& object);
std::string uid_of(const json::Value& object);
std::string name_of(const json::Value& object);
std::int64_t number_at(const json::Value& object, std::initializer_list<std::string_view> path);

asio::awaitable<json::Document> create(Server& server, kube::Resource resource, std::string ns,
                                       std::string body);
// A merge patch.
asio::awaitable<json::Document> patch(Server& server, kube::Resource resource, std::string ns,
                                      std::string name, std::string body);
asio::awaitable<json::Document> get(Server& server, kube::Resource resource, std::string ns,
                                    std::string name);
asio::awaitable<void> remove(Server& server, kube::Resource resource, std::string ns,
                             std::string name);
// Of one page.
asio::awaitable<json::Document> list(Server& server, kube::Resource resource, std::string ns,
                                     std::string parameters = {});

std::vector<std::string> names_in(const json::Value& list);

// One event of a watch.
struct Seen {
    std::string type; // empty: the stream has come to its orderly end
    std::string version;
    std::string name;
    std::string ns;
    json::Document document;

    [[nodiscard]] const json::Value& object() const;

    [[nodiscard]] std::string str() const { return name.empty() ? type : type + " " + name; }
};

class Watch {
  public:
    Watch(rt::Runtime& runtime, std::unique_ptr<http::ResponseStream> stream)
        : runtime_(&runtime), stream_(std::move(stream)) {}

    static asio::awaitable<Watch> open(Server& server, kube::Resource resource, std::string ns,
                                       std::string parameters,
                                       kube::Accept accept = kube::Accept::object);

    asio::awaitable<Seen> next(rt::Duration limit = patience);

    // The next events, "ADDED a" and the like.
    asio::awaitable<void> expect(std::vector<std::string> wanted, Where where = Where::current());
    // The same where bookmarks are asked for: a server sends them whenever it likes, so that they
    // are passed over.
    asio::awaitable<void> expect_changes(std::vector<std::string> wanted,
                                         Where where = Where::current());

  private:
    enum class Bookmarks { are_events, passed_over };
    asio::awaitable<void> expect(std::vector<std::string> wanted, Bookmarks bookmarks, Where where);

    rt::Runtime* runtime_;
    std::unique_ptr<http::ResponseStream> stream_;
    std::string bytes_;
};

// A condition that others bring about.
asio::awaitable<void> wait_until(rt::Runtime& runtime, std::function<bool()> holds,
                                 std::string what);

// Runs `task` until `work` has ended, however it ends.
asio::awaitable<void> beside(rt::Runtime& runtime, asio::awaitable<void> task,
                             asio::awaitable<void> work);

} // namespace oco::conformance
