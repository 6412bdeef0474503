#include "server.hpp"

namespace oco::conformance {

asio::awaitable<Result<json::Document>> Server::json_patch(std::string target, std::string body) {
    http::Request request;
    request.method = "PATCH";
    request.target = std::move(target);
    request.headers.emplace_back("Content-Type", "application/json-patch+json");
    request.body = SecretBytes(body);
    return call(std::move(request));
}

asio::awaitable<Result<json::Document>> Server::call(http::Request request) {
    request.headers.emplace_back("Accept", "application/json");
    const std::string what = request.method + " " + request.target;
    auto answer = co_await send(std::move(request));
    if (!answer)
        co_return answer.error();
    if (answer->status != 200)
        co_return kube::status_error(what, *answer, WallTime{});
    co_return json::parse(answer->body.expose());
}

} // namespace oco::conformance
