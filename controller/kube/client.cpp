#include "kube/client.hpp"

#include "base/text.hpp"
#include "http/retry_after.hpp"
#include "rt/deadline.hpp"

namespace oco::kube {
namespace {

constexpr int max_pauses = 3;
constexpr rt::Duration longest_pause = std::chrono::seconds(10);
constexpr std::chrono::seconds default_pause{1};
constexpr std::size_t max_path_shown = 200;
// Besides the watches. An answer takes some milliseconds: many more would only wait there.
constexpr std::size_t max_connections = 8;
// Answers may be large, a Secret's above all: many at once would fill the memory.
constexpr rt::Duration patience = std::chrono::seconds(5);
constexpr std::size_t max_refusal_bytes = std::size_t{64} << 10;

std::string_view accept_header(Accept accept) {
    switch (accept) {
    case Accept::metadata_only:
        return "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    case Accept::metadata_list_only:
        return "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    case Accept::object:
        break;
    }
    return "application/json";
}

ErrorClass class_of(int status) {
    switch (status) {
    case 400:
    case 405:
    case 413:
    case 415:
    case 422:
        return ErrorClass::refused;
    case 401:
        return ErrorClass::unauthorized;
    case 403:
        return ErrorClass::forbidden;
    case 404:
        return ErrorClass::not_found;
    case 409:
        return ErrorClass::conflict;
    case 410:
        return ErrorClass::expired;
    case 429:
        return ErrorClass::rate_limited;
    default:
        return ErrorClass::unavailable;
    }
}

// Nothing about Secrets is requested compressed: neither their values, whose size would reveal
// something, nor their metadata, because an annotation of kubectl's may hold a whole Secret.
bool names_secrets(std::string_view target) {
    const std::string path = std::string(target.substr(0, target.find('?'))) + "/";
    return path.starts_with("/api/v1/") && path.find("/secrets/") != std::string::npos;
}

// The Lease is renewed before anything else, or all stops. What a rotation waits for is read before
// what is known is written; an Event can wait.
rt::Urgency urgency_of(std::string_view method, std::string_view target) {
    if (target.starts_with("/apis/coordination.k8s.io/"))
        return rt::Urgency::first;
    if (method == "GET")
        return rt::Urgency::high;
    return target.starts_with("/apis/events.k8s.io/") ? rt::Urgency::background
                                                      : rt::Urgency::normal;
}

// What the API server says when a test of a JSON patch fails, and when its path is not there.
constexpr std::string_view failed_test = "rejected our request";

// Of an object, and of those in it.
void drop_nulls(json::Value& value) {
    if (!value.IsObject())
        return;
    for (auto it = value.MemberBegin(); it != value.MemberEnd();) {
        drop_nulls(it->value);
        it = it->value.IsNull() ? value.EraseMember(it) : it + 1;
    }
}

// A JSON patch (RFC 6902): unlike a merge patch of a status, whose uid the API server does not look
// at, it can ask for the object first. What is null is removed, which an `add` of null does.
std::string status_patch(const ObjectMeta& meta, json::Value& members) {
    json::Writer out;
    out.begin_array()
        .begin_object()
        .member("op", "test")
        .member("path", "/metadata/uid")
        .member("value", meta.uid)
        .end_object();
    if (!meta.has_status)
        out.begin_object()
            .member("op", "add")
            .member("path", "/status")
            .field("value")
            .begin_object()
            .end_object()
            .end_object();
    for (auto& member : members.GetObject()) {
        drop_nulls(member.value);
        out.begin_object()
            .member("op", "add")
            .member("path", "/status/" + std::string(json::text_of(member.name)))
            .member("value", member.value)
            .end_object();
    }
    out.end_array();
    return out.str();
}

asio::awaitable<Result<void>> read_rest(http::ResponseStream& stream, SecretBytes& body) {
    while (body.size() < max_refusal_bytes) {
        auto bytes = co_await stream.read();
        if (!bytes)
            co_return bytes.error();
        if (bytes->empty())
            break;
        body.append(bytes->expose());
    }
    co_return Result<void>();
}

// A 401 is about who asks and not about rights, and the server's text ("Unauthorized") does not say
// so.
std::string not_accepted(const ClientConfig& config) {
    const bool has_token = !config.token.empty() || !config.token_file.empty();
    if (!has_token && config.client_certificate_pem.empty())
        return "the API server lets nobody in without credentials (401 Unauthorized), and none are "
               "configured: give the kubeconfig's user a token or a client certificate";
    const std::string what = has_token ? "token" : "client certificate";
    const std::string& file = has_token ? config.token_file : config.client_certificate_file;
    return "the API server does not accept the operator's " + what +
           " (401 Unauthorized): it has expired, was revoked, or belongs to another cluster; put a "
           "valid one into " +
           (file.empty() ? "the kubeconfig" : printable(file, max_path_shown));
}

// The answer to a watch that was refused, with as much of its body as comes: it says why.
asio::awaitable<http::Response> whole_answer(rt::Runtime& runtime, http::ResponseStream& stream,
                                             rt::TimePoint deadline) {
    http::Response answer;
    static_cast<http::ResponseHead&>(answer) = stream.head();
    co_await rt::with_deadline(runtime, deadline - runtime.now(), read_rest(stream, answer.body));
    co_return answer;
}

// A proxy's or a portal's page is an answer too, but not the API server's.
Result<json::Document> body_of(std::string_view what, const http::Response& response) {
    auto document = json::parse(response.body.expose());
    if (document)
        return document;
    return Error{.kind = document.error().kind,
                 .message = std::string(what) + ": " + std::to_string(response.status) +
                            ", but the body is " + document.error().message +
                            "; is it the address of a Kubernetes API server?",
                 .http_status = response.status};
}

} // namespace

std::string Resource::collection(std::string_view ns) const {
    std::string path = group.empty() ? "/api/" + version : "/apis/" + group + "/" + version;
    if (!ns.empty())
        path.append("/namespaces/").append(ns);
    return path + "/" + plural;
}

std::string Resource::object(std::string_view ns, std::string_view name) const {
    return collection(ns).append("/").append(http::percent_encode(name));
}

Error status_error(std::string_view what, const http::Response& response, WallTime now) {
    Error error{.kind = class_of(response.status),
                .message = std::string(what) + ": " + std::to_string(response.status),
                .http_status = response.status};
    const auto document = json::parse(response.body.expose());
    if (document && json::string_at(*document, "kind") == "Status") {
        if (const auto text = json::string_at(*document, "message"); !text.empty())
            error.message = printable(text);
    } else if (error.kind != ErrorClass::not_found) { // of a path that it does not know
        error.message += ", and not as a Kubernetes API server answers: check the server's "
                         "address, and the proxies on the way";
        // Nobody has looked at the operator's rights.
        if (error.kind == ErrorClass::forbidden)
            error.kind = ErrorClass::unavailable;
    }
    error.retry_after = http::parse_retry_after(response.header("retry-after"), now);
    return error;
}

Result<std::unique_ptr<Client>> Client::make(rt::Runtime& runtime, ClientConfig config,
                                             FileReader read_file, RequestObserver observer) {
    auto access = ClientAccess::make(std::move(config), std::move(read_file));
    if (!access)
        return access.error();
    return std::unique_ptr<Client>(new Client(runtime, std::move(*access), std::move(observer)));
}

Client::Client(rt::Runtime& runtime, ClientAccess access, RequestObserver observer)
    : runtime_(runtime), access_(std::move(access)), observer_(std::move(observer)),
      http_(runtime, access_.endpoint(),
            {.max_connections = max_connections,
             .patience = patience,
             .max_idle = max_connections,
             .body_limit = max_answer_bytes}) {}

asio::awaitable<Result<json::Document>> Client::get(std::string target, Accept accept) {
    return call("GET", std::move(target), {}, {}, accept);
}

asio::awaitable<Result<json::Document>> Client::create(std::string target, std::string body) {
    return call("POST", std::move(target), std::move(body), "application/json", Accept::object);
}

asio::awaitable<Result<json::Document>> Client::replace(std::string target, std::string body) {
    return call("PUT", std::move(target), std::move(body), "application/json", Accept::object);
}

asio::awaitable<Result<json::Document>> Client::merge_patch(std::string target, std::string body) {
    return call("PATCH", std::move(target), std::move(body), "application/merge-patch+json",
                Accept::object);
}

asio::awaitable<Result<json::Document>> Client::patch_status(const Resource& resource,
                                                             ObjectMeta meta, std::string status) {
    auto members = json::parse(status);
    if (!members || !members->IsObject())
        co_return make_error(ErrorClass::invalid, "a status that is no JSON object");
    auto done =
        co_await call("PATCH", resource.object(meta.key.ns, meta.key.name) + "/status",
                      status_patch(meta, *members), "application/json-patch+json",
                      Accept::metadata_only); // the object may be large, and nobody looks at it
    if (done || done.error().http_status != 422 ||
        done.error().message.find(failed_test) == std::string::npos)
        co_return done;
    Error other = done.error();
    other.kind = ErrorClass::conflict;
    other.message = "the name belongs to another object now";
    co_return other;
}

asio::awaitable<Result<json::Document>> Client::call(std::string method, std::string target,
                                                     std::string body, std::string content_type,
                                                     Accept accept) {
    Attempts attempts{.deadline = runtime_.now() + request_deadline};
    for (;;) {
        refresh(ClientAccess::Files::when_due);
        http::Request outgoing = request(method, target, accept);
        if (!body.empty()) {
            outgoing.headers.emplace_back("Content-Type", content_type);
            outgoing.body = SecretBytes(body);
        }
        const auto used = http_.endpoint().tls;
        const auto started = runtime_.now();
        auto response = co_await http_.send(std::move(outgoing), attempts.deadline - started);
        observer_(method, response ? response->status : 0, runtime_.now() - started);
        const std::string what =
            std::string(method).append(" ").append(target, 0, target.find('?'));
        if (response && response->status >= 200 && response->status < 300)
            co_return body_of(what, *response);
        const Error error = response ? refusal(what, *response) : response.error();
        const auto pause = next_attempt(attempts, error, used);
        if (!pause)
            co_return error;
        co_await runtime_.sleep(*pause);
    }
}

asio::awaitable<Result<std::unique_ptr<http::ResponseStream>>> Client::watch(std::string target,
                                                                             Accept accept) {
    Attempts attempts{.deadline = runtime_.now() + request_deadline};
    for (;;) {
        refresh(ClientAccess::Files::when_due);
        const auto used = http_.endpoint().tls;
        const auto started = runtime_.now();
        auto stream =
            co_await http_.open(request("GET", target, accept), attempts.deadline - started);
        observer_("WATCH", stream ? (*stream)->head().status : 0, runtime_.now() - started);
        if (stream && (*stream)->head().status == 200)
            co_return std::move(*stream);
        const Error error =
            stream ? refusal("watch of " + target.substr(0, target.find('?')),
                             co_await whole_answer(runtime_, **stream, attempts.deadline))
                   : stream.error();
        stream = Error(error); // its connection is not needed while we wait
        const auto pause = next_attempt(attempts, error, used);
        if (!pause)
            co_return error;
        co_await runtime_.sleep(*pause);
    }
}

Error Client::refusal(std::string_view what, const http::Response& response) const {
    Error error = status_error(what, response, runtime_.wall_now());
    if (error.kind == ErrorClass::unauthorized)
        error.message = not_accepted(config());
    return error;
}

std::optional<rt::Duration> Client::next_attempt(Attempts& attempts, const Error& error,
                                                 const std::shared_ptr<net::TlsContext>& used) {
    const bool untrusted = error.kind == ErrorClass::tls;
    if (untrusted || error.http_status == 401) {
        if (attempts.refreshed || !access_.renewable())
            return std::nullopt;
        attempts.refreshed = true;
        refresh(ClientAccess::Files::now);
        // With the same CAs it would fail the same way.
        if (untrusted && http_.endpoint().tls == used)
            return std::nullopt;
        return rt::Duration::zero();
    }
    const bool asked_to_wait =
        error.http_status == 429 || (error.http_status == 503 && error.retry_after);
    if (!asked_to_wait)
        return std::nullopt;
    // To come earlier than asked would be no help: what is asked for longer is the caller's to
    // wait for.
    const rt::Duration pause = error.retry_after.value_or(default_pause);
    if (++attempts.pauses > max_pauses || pause > longest_pause ||
        runtime_.now() + pause >= attempts.deadline)
        return std::nullopt;
    return pause;
}

http::Request Client::request(std::string_view method, std::string_view target,
                              Accept accept) const {
    http::Request out;
    out.method = method;
    out.target = config().server.path_prefix + std::string(target);
    out.headers.emplace_back("Accept", accept_header(accept));
    out.bearer = access_.token().clone();
    out.urgency = urgency_of(method, target);
    if (method == "GET" && !names_secrets(target))
        out.accept_encoding = http::Encoding::gzip;
    return out;
}

void Client::refresh(ClientAccess::Files files) {
    if (access_.refresh(runtime_.now(), files) == ClientAccess::Changed::endpoint)
        http_.set_endpoint(access_.endpoint());
}

} // namespace oco::kube
