// A client for the Kubernetes API: requests with credentials that rotate, responses decoded to
// JSON, errors classified. https://kubernetes.io/docs/reference/using-api/api-concepts/
#pragma once

#include "base/json.hpp"
#include "http/client.hpp"
#include "kube/config/client_access.hpp"
#include "kube/object.hpp"

#include <functional>

namespace oco::kube {

// Where a kind lives. `group` is empty for the core group.
struct Resource {
    std::string group;
    std::string version;
    std::string plural;

    // Of all namespaces when `ns` is empty.
    [[nodiscard]] std::string collection(std::string_view ns) const;
    [[nodiscard]] std::string object(std::string_view ns, std::string_view name) const;
};

namespace resources {
inline const Resource secrets{.group = "", .version = "v1", .plural = "secrets"};
inline const Resource namespaces{.group = "", .version = "v1", .plural = "namespaces"};
inline const Resource leases{.group = "coordination.k8s.io", .version = "v1", .plural = "leases"};
inline const Resource events{.group = "events.k8s.io", .version = "v1", .plural = "events"};
inline const Resource omni_instances{
    .group = "omniconnection.io", .version = "v1alpha1", .plural = "omniinstances"};
inline const Resource omni_connections{
    .group = "omniconnection.io", .version = "v1alpha1", .plural = "omniconnections"};
} // namespace resources

// For rest_client_* metrics. `code` 0: no response.
using RequestObserver = std::function<void(std::string_view method, int code, rt::Duration took)>;

// Of one answer, and of one line of a watch: several times what the API server takes for an object.
inline constexpr std::size_t max_answer_bytes = std::size_t{16} << 20;

// For all attempts at one request.
inline constexpr rt::Duration request_deadline = std::chrono::seconds(15);

enum class Accept { object, metadata_only, metadata_list_only };

// Every request ends within `request_deadline`. It is sent once more after a 401 and after a server
// that is not trusted, with credentials and CAs read again, and up to three times when the server
// asks to come back in at most ten seconds (429, or 503 with Retry-After): neither was carried out.
class Client {
  public:
    // The error is the configuration's (a bad certificate).
    static Result<std::unique_ptr<Client>> make(rt::Runtime& runtime, ClientConfig config,
                                                FileReader read_file, RequestObserver observer);

    // 2xx responses only; otherwise the error, with the API server's own message.
    asio::awaitable<Result<json::Document>> get(std::string target, Accept accept = Accept::object);
    asio::awaitable<Result<json::Document>> create(std::string target, std::string body);
    asio::awaitable<Result<json::Document>> replace(std::string target, std::string body);
    // RFC 7386, JSON merge patch.
    asio::awaitable<Result<json::Document>> merge_patch(std::string target, std::string body);
    // Sets the members of `status` (JSON) in the status of this very object, and removes those that
    // are null: `conflict` when its name now belongs to another. The answer has the metadata only.
    asio::awaitable<Result<json::Document>> patch_status(const Resource& resource, ObjectMeta meta,
                                                         std::string status);
    asio::awaitable<Result<std::unique_ptr<http::ResponseStream>>> watch(std::string target,
                                                                         Accept accept);

    [[nodiscard]] const ClientConfig& config() const { return access_.config(); }

  private:
    // The attempts that a request has used up.
    struct Attempts {
        rt::TimePoint deadline;
        bool refreshed = false;
        int pauses = 0;
    };

    Client(rt::Runtime& runtime, ClientAccess access, RequestObserver observer);

    asio::awaitable<Result<json::Document>> call(std::string method, std::string target,
                                                 std::string body, std::string content_type,
                                                 Accept accept);
    [[nodiscard]] http::Request request(std::string_view method, std::string_view target,
                                        Accept accept) const;
    void refresh(ClientAccess::Files files);
    // The error for an answer that is no 2xx.
    [[nodiscard]] Error refusal(std::string_view what, const http::Response& response) const;
    // How long to wait before it is sent once more; nullopt: the error stands. `used` is the trust
    // that the attempt relied on.
    std::optional<rt::Duration> next_attempt(Attempts& attempts, const Error& error,
                                             const std::shared_ptr<net::TlsContext>& used);

    rt::Runtime& runtime_;
    ClientAccess access_;
    RequestObserver observer_;
    http::Client http_;
};

// The error for an answer that is no 2xx; `what` is "GET /api/..." or the like.
Error status_error(std::string_view what, const http::Response& response, WallTime now);

} // namespace oco::kube
