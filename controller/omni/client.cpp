#include "omni/client.hpp"

#include "base/text.hpp"
#include "omni/answer.hpp"
#include "omni/connection_list.hpp"
#include "omni/request.hpp"

#include <utility>

namespace oco::omni {

Client::Client(rt::Runtime& runtime, http::Client& http, const SecretBytes& token,
               Observer observer)
    : runtime_(runtime), http_(http), token_(token.clone()), observer_(std::move(observer)) {}

asio::awaitable<Result<void>> Client::update_connection(std::string id, Update update) {
    if (update.empty())
        co_return make_error(ErrorClass::invalid, "nothing to send to Omni");
    auto response = co_await send(update_request(id, update));
    if (!response)
        co_return without_repeats(response.error(), {.update = &update});
    co_return check_success(*response, {.token = &token_, .update = &update}, runtime_.wall_now());
}

asio::awaitable<Result<std::vector<ConnectionInfo>>>
Client::list_connections(ListMemory::Share& memory) {
    ConnectionListReader reader(memory);
    const auto response =
        co_await read(list_request(), [&](std::string_view part) { return reader.feed(part); });
    if (!response)
        co_return response.error();
    auto connections = reader.finish(response->status);
    if (connections)
        for (auto& info : *connections)
            withhold_repeats(info);
    co_return connections;
}

asio::awaitable<Result<ConnectionInfo>> Client::get_connection(std::string id) {
    const auto response = co_await read(get_request(id));
    if (!response)
        co_return response.error();
    auto info = parse_connection(*response);
    if (info)
        withhold_repeats(*info);
    co_return info;
}

// What is shown of a connection must not be the API key, whatever Omni or a proxy writes there.
void Client::withhold_repeats(ConnectionInfo& info) const {
    if (shares_run(info.dialect, token_.expose()))
        info.dialect = withheld_dialect;
}

asio::awaitable<Result<void>> Client::whoami() {
    const auto response = co_await send(whoami_request());
    if (!response)
        co_return response.error();
    co_return check_success(*response, {.token = &token_}, runtime_.wall_now());
}

asio::awaitable<Result<http::Response>> Client::read(http::Request request, http::BodySink sink) {
    auto response = co_await send(std::move(request), std::move(sink));
    if (response && !is_success(response->status))
        co_return error_of(*response, {.token = &token_}, runtime_.wall_now());
    co_return response;
}

asio::awaitable<Result<http::Response>> Client::send(http::Request request, http::BodySink sink) {
    request.bearer = token_.clone();
    const std::string method = request.method;
    const auto start = runtime_.now();
    auto response = co_await http_.send(std::move(request), request_deadline, std::move(sink));
    if (observer_)
        observer_(method, response ? response->status : 0, runtime_.now() - start);
    if (!response)
        co_return without_repeats(response.error(), {.token = &token_});
    co_return response;
}

} // namespace oco::omni
