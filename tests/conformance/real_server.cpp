#include "real_server.hpp"

#include "base/base64.hpp"
#include "kube/config/client_config.hpp"

#include <fstream>
#include <iterator>

namespace oco::conformance {
namespace {

Result<SecretBytes> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return make_error(ErrorClass::not_found, "no such file");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    return SecretBytes(text);
}

Result<kube::ClientConfig> load(const std::string& kubeconfig) {
    return kube::load_client_config(
        {.kubeconfig = kubeconfig, .context = ""},
        {.variable = [](const std::string&) { return std::optional<std::string>(); },
         .read_file = read_file});
}

Result<std::unique_ptr<kube::Client>> make_client(rt::Runtime& runtime, kube::ClientConfig config) {
    return kube::Client::make(runtime, std::move(config), read_file,
                              [](std::string_view, int, rt::Duration) {});
}

} // namespace

Result<std::unique_ptr<RealServer>> RealServer::make(asio::io_context& context,
                                                     const std::string& kubeconfig) {
    std::unique_ptr<RealServer> server(new RealServer(context));
    auto known = load(kubeconfig);
    auto unknown = load(kubeconfig);
    auto third = load(kubeconfig);
    if (!known || !unknown || !third)
        return known ? unknown.error() : known.error();
    server->token_ = known->token.clone();
    unknown->token = SecretBytes("unknown");
    unknown->reload = {}; // or a 401 would have the right one read
    auto access = kube::ClientAccess::make(std::move(*third), read_file);
    auto client = make_client(server->runtime_, std::move(*known));
    auto stranger = make_client(server->runtime_, std::move(*unknown));
    if (!client || !stranger || !access)
        return client ? make_error(ErrorClass::invalid, "the kubeconfig cannot be used")
                      : client.error();
    server->client_ = std::move(*client);
    server->stranger_ = std::move(*stranger);
    server->http_ =
        std::make_unique<http::Client>(server->runtime_, access->endpoint(), http::ClientOptions());
    return server;
}

asio::awaitable<Result<http::Response>> RealServer::send(http::Request request) {
    request.bearer = token_.clone();
    return http_->send(std::move(request), kube::request_deadline);
}

asio::awaitable<Result<void>> RealServer::remove(kube::Resource resource, std::string ns,
                                                 std::string name) {
    http::Request request;
    request.method = "DELETE";
    request.target = resource.object(ns, name);
    auto answer = co_await call(std::move(request));
    co_return answer ? Result<void>() : Result<void>(answer.error());
}

// As the server would have made it for its second version, which etcd has compacted.
asio::awaitable<std::string> RealServer::expired_continue_token(kube::Resource, std::string) {
    std::string token = base64::encode(R"({"v":"meta.k8s.io/v1","rv":2,"start":"/a\u0000"})");
    while (token.ends_with('='))
        token.pop_back();
    co_return token;
}

} // namespace oco::conformance
