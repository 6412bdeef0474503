#include "steps.hpp"

#include "rt/deadline.hpp"
#include "rt/task_group.hpp"

#include <boost/asio/this_coro.hpp>

namespace oco::conformance {

using kube::Resource;

std::string secret(std::string_view name, std::string_view value, std::string_view type) {
    json::Writer body;
    body.begin_object()
        .member("apiVersion", "v1")
        .member("kind", "Secret")
        .field("metadata")
        .begin_object()
        .member("name", name)
        .end_object()
        .field("data")
        .begin_object()
        .member("value", value)
        .end_object();
    if (!type.empty())
        body.member("type", type);
    body.end_object();
    return body.str();
}

std::string connection(std::string_view name, std::string_view extra) {
    return R"({"apiVersion":"omniconnection.io/v1alpha1","kind":"OmniConnection","metadata":{"name":")" +
           std::string(name) +
           R"("},"spec":{"instanceRef":{"name":"omni"},"connectionName":"Sales","baseRole":"VIEWER")" +
           std::string(extra) + "}}";
}

std::string lease(std::string_view name, std::string_view holder, std::string_view version) {
    json::Writer body;
    body.begin_object()
        .member("apiVersion", "coordination.k8s.io/v1")
        .member("kind", "Lease")
        .field("metadata")
        .begin_object()
        .member("name", name);
    if (!version.empty())
        body.member("resourceVersion", version);
    body.end_object()
        .field("spec")
        .begin_object()
        .member("holderIdentity", holder)
        .member("leaseDurationSeconds", 15)
        .member("acquireTime", "2026-01-01T00:00:00.000000Z")
        .member("renewTime", "2026-01-01T00:00:00.000000Z")
        .member("leaseTransitions", 3)
        .end_object()
        .end_object();
    return body.str();
}

std::string version_of(const json::Value& object) {
    return std::string(json::string_at(object, {"metadata", "resourceVersion"}));
}

std::string uid_of(const json::Value& object) {
    return std::string(json::string_at(object, {"metadata", "uid"}));
}

std::string name_of(const json::Value& object) {
    return std::string(json::string_at(object, {"metadata", "name"}));
}

std::int64_t number_at(const json::Value& object, std::initializer_list<std::string_view> path) {
    const json::Value* found = json::find(object, path);
    check(found != nullptr && found->IsInt64(), "no such number in the object");
    return found->GetInt64();
}

// --- requests ----------------------------------------------------------------------------------

asio::awaitable<json::Document> create(Server& server, Resource resource, std::string ns,
                                       std::string body) {
    co_return must(co_await server.client().create(resource.collection(ns), std::move(body)));
}

asio::awaitable<json::Document> patch(Server& server, Resource resource, std::string ns,
                                      std::string name, std::string body) {
    co_return must(
        co_await server.client().merge_patch(resource.object(ns, name), std::move(body)));
}

asio::awaitable<json::Document> get(Server& server, Resource resource, std::string ns,
                                    std::string name) {
    co_return must(co_await server.client().get(resource.object(ns, name)));
}

asio::awaitable<void> remove(Server& server, Resource resource, std::string ns, std::string name) {
    must(co_await server.remove(std::move(resource), std::move(ns), std::move(name)));
}

asio::awaitable<json::Document> list(Server& server, Resource resource, std::string ns,
                                     std::string parameters) {
    co_return must(co_await server.client().get(resource.collection(ns) + "?" + parameters));
}

std::vector<std::string> names_in(const json::Value& list) {
    std::vector<std::string> names;
    const json::Value* items = json::find(list, "items");
    check(items != nullptr && items->IsArray(), "a list without items");
    for (const auto& item : items->GetArray())
        names.push_back(name_of(item));
    return names;
}

// --- watches -----------------------------------------------------------------------------------

const json::Value& Seen::object() const {
    const json::Value* found = json::find(document, "object");
    check(found != nullptr, "an event without an object");
    return *found;
}

asio::awaitable<Watch> Watch::open(Server& server, Resource resource, std::string ns,
                                   std::string parameters, kube::Accept accept) {
    auto stream = must(
        co_await server.client().watch(resource.collection(ns) + "?watch=1&" + parameters, accept));
    co_return Watch(server.runtime(), std::move(stream));
}

asio::awaitable<Seen> Watch::next(rt::Duration limit) {
    auto end = bytes_.find('\n');
    while (end == std::string::npos) {
        auto more = must(co_await rt::with_deadline(*runtime_, limit, stream_->read()));
        if (more.empty()) {
            check(bytes_.empty(), "the stream ends within an event");
            co_return Seen();
        }
        bytes_ += more.expose();
        end = bytes_.find('\n');
    }
    Seen seen{.document = must(json::parse(std::string_view(bytes_).substr(0, end)))};
    bytes_.erase(0, end + 1);
    seen.type = json::string_at(seen.document, "type");
    seen.version = version_of(seen.object());
    seen.name = name_of(seen.object());
    seen.ns = json::string_at(seen.object(), {"metadata", "namespace"});
    co_return seen;
}

asio::awaitable<void> Watch::expect(std::vector<std::string> wanted, Where where) {
    co_await expect(std::move(wanted), Bookmarks::are_events, where);
}

asio::awaitable<void> Watch::expect_changes(std::vector<std::string> wanted, Where where) {
    co_await expect(std::move(wanted), Bookmarks::passed_over, where);
}

asio::awaitable<void> Watch::expect(std::vector<std::string> wanted, Bookmarks bookmarks,
                                    Where where) {
    std::vector<std::string> found;
    while (found.size() < wanted.size()) {
        const Seen seen = co_await next();
        if (bookmarks == Bookmarks::passed_over && seen.type == "BOOKMARK")
            continue;
        found.push_back(seen.str());
        if (seen.type.empty())
            break;
    }
    check_equal(found, wanted, "the watch's events", where);
}

// --- waiting -----------------------------------------------------------------------------------

asio::awaitable<void> wait_until(rt::Runtime& runtime, std::function<bool()> holds,
                                 std::string what) {
    const auto until = runtime.now() + patience;
    while (!holds()) {
        check(runtime.now() < until, "not in time: " + what);
        co_await runtime.sleep(std::chrono::milliseconds(20));
    }
}

asio::awaitable<void> beside(rt::Runtime& runtime, asio::awaitable<void> task,
                             asio::awaitable<void> work) {
    rt::TaskGroup group(runtime);
    group.spawn(std::move(task));
    std::exception_ptr failure;
    try {
        co_await std::move(work);
    } catch (...) {
        failure = std::current_exception();
    }
    // Also when this coroutine itself is cancelled, its task must end first.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    group.cancel();
    co_await group.join();
    if (failure)
        std::rethrow_exception(failure);
}

} // namespace oco::conformance
