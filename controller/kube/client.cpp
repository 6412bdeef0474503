#include "kube/client.hpp"

#include "base/text.hpp"
#include "kube/config_files.hpp"

#include <charconv>

namespace oco::kube {
namespace {

// Kubelets renew a bound token at 80 % of its life, of at least ten minutes.
constexpr rt::Duration token_reread_interval = std::chrono::minutes(1);

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

Result<rt::Endpoint> endpoint_of(const ClientConfig& config) {
    if (!config.proxy_url.empty())
        return make_error(ErrorClass::invalid,
                          config.source + ": proxy-url is not supported; use a cluster entry "
                                          "without it, or reach the API server directly");
    rt::Endpoint endpoint{.host = config.server.host, .port = config.server.port};
    if (config.server.scheme == Scheme::http)
        return endpoint;
    rt::TlsOptions options{.verify =
                               config.verify == Verify::none ? rt::Verify::none : rt::Verify::peer,
                           .extra_ca_pem = config.ca_pem,
                           .system_roots = config.ca_pem.empty() ? rt::TlsOptions::SystemRoots::yes
                                                                 : rt::TlsOptions::SystemRoots::no,
                           .client_certificate_pem = config.client_certificate_pem,
                           .client_key_pem = config.client_key_pem.clone()};
    auto tls = rt::make_tls_context(options);
    if (!tls)
        return make_error(tls.error().kind, config.source + ": " + tls.error().message);
    endpoint.tls = *tls;
    endpoint.tls_server_name = config.tls_server_name;
    return endpoint;
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

Error status_error(std::string_view what, const http::Response& response) {
    Error error{.kind = class_of(response.status),
                .message = std::string(what) + ": " + std::to_string(response.status),
                .http_status = response.status};
    if (auto document = json::parse(response.body.expose()))
        if (const auto text = json::string_at(*document, "message"); !text.empty())
            error.message = printable(text);
    const auto retry = response.header("retry-after");
    int seconds = 0;
    if (std::from_chars(retry.data(), retry.data() + retry.size(), seconds).ec == std::errc{} &&
        seconds >= 0)
        error.retry_after = std::chrono::seconds(std::min(seconds, 600));
    return error;
}

Result<std::unique_ptr<Client>> Client::make(rt::Runtime& runtime, ClientConfig config,
                                             FileReader read_file, RequestObserver observer) {
    auto endpoint = endpoint_of(config);
    if (!endpoint)
        return endpoint.error();
    return std::unique_ptr<Client>(new Client(runtime, std::move(config), std::move(read_file),
                                              std::move(observer), std::move(*endpoint)));
}

Client::Client(rt::Runtime& runtime, ClientConfig config, FileReader read_file,
               RequestObserver observer, rt::Endpoint endpoint)
    : runtime_(runtime), config_(std::move(config)), read_file_(std::move(read_file)),
      observer_(std::move(observer)), http_(runtime, std::move(endpoint), {.max_idle = 8}) {}

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
    return merge_patch(resource.object(meta.key.ns, meta.key.name) + "/status",
                       R"({"metadata":{"uid":")" + meta.uid + R"("},"status":)" + status + "}");
}

asio::awaitable<Result<json::Document>> Client::call(std::string method, std::string target,
                                                     std::string body, std::string content_type,
                                                     Accept accept) {
    for (const Token token : {Token::cached, Token::fresh}) {
        refresh_token(token);
        http::Request outgoing = request(method, target, accept);
        if (!body.empty()) {
            outgoing.headers.emplace_back("Content-Type", content_type);
            outgoing.body = SecretBytes(body);
        }
        const auto started = runtime_.now();
        auto response = co_await http_.send(std::move(outgoing), request_deadline);
        observer_(method, response ? response->status : 0, runtime_.now() - started);
        if (!response)
            co_return response.error();
        // A token that was just rotated deserves one more try with the file's newest.
        if (response->status == 401 && token == Token::cached && !config_.token_file.empty())
            continue;
        if (response->status < 200 || response->status >= 300)
            co_return status_error(std::string(method).append(" ").append(target), *response);
        co_return json::parse(response->body.expose());
    }
    co_return make_error(ErrorClass::unauthorized, "unreachable");
}

asio::awaitable<Result<std::unique_ptr<http::ResponseStream>>> Client::watch(std::string target,
                                                                             Accept accept) {
    refresh_token(Token::cached);
    const auto started = runtime_.now();
    auto stream = co_await http_.open(request("GET", target, accept), request_deadline);
    observer_("WATCH", stream ? (*stream)->head().status : 0, runtime_.now() - started);
    if (!stream)
        co_return stream.error();
    if ((*stream)->head().status == 200)
        co_return std::move(*stream);
    http::Response answer;
    static_cast<http::ResponseHead&>(answer) = (*stream)->head();
    if (answer.status == 401)
        refresh_token(Token::fresh);
    co_return status_error("watch of " + target, answer);
}

http::Request Client::request(std::string_view method, std::string_view target,
                              Accept accept) const {
    http::Request out;
    out.method = method;
    out.target = config_.server.path_prefix + std::string(target);
    out.headers.emplace_back("Accept", accept_header(accept));
    out.bearer = config_.token.clone();
    return out;
}

void Client::refresh_token(Token wanted) {
    if (config_.token_file.empty())
        return;
    if (wanted == Token::cached && token_read_ != rt::TimePoint{} &&
        runtime_.now() - token_read_ < token_reread_interval)
        return;
    token_read_ = runtime_.now();
    // A file that is caught half-written is no token: the old one serves on.
    if (auto token = read_file_(config_.token_file);
        token && is_bearer_token(trim(token->expose())))
        config_.token = SecretBytes(trim(token->expose()));
}

} // namespace oco::kube
