// Omni's HTTP API for one key: one request per call, no retries, no rate limit (the caller uses a
// slot of the key's budget for each call).
#pragma once

#include "http/client.hpp"
#include "omni/list_memory.hpp"
#include "omni/types.hpp"
#include "rt/runtime.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace oco::omni {

namespace asio = boost::asio;

inline constexpr rt::Duration request_deadline = std::chrono::seconds(10);

// Called once for each request that ended, for metrics. `code` 0: no response. Not called when the
// coroutine is cancelled.
using Observer = std::function<void(std::string_view method, int code, rt::Duration took)>;

inline constexpr std::string_view withheld_dialect = "(withheld)";

// Every call ends within `request_deadline`. Of its Error:
//   http_status 0     no complete response; `sent` says whether a byte of the request may have left
//   http_status != 0  Omni (or a proxy) responded; `sent` is `maybe` if the outcome is
//                     unknown (5xx, 408, an HTML page with 2xx), else `no`: see error_of()
// Cancelling a call throws operation_aborted; a PATCH may then have been carried out.
class Client {
  public:
    // `http` must outlive the client, and its calls; the token is copied.
    Client(rt::Runtime& runtime, http::Client& http, const SecretBytes& token, Observer observer);

    // An empty update is ErrorClass::invalid and not sent. Success means stored, not that the
    // warehouse accepts the credential: Omni does not test it.
    asio::awaitable<Result<void>> update_connection(std::string id, Update update);

    // A dialect that repeats a part of the token is `withheld_dialect`. `memory` must outlive the
    // call.
    asio::awaitable<Result<std::vector<ConnectionInfo>>>
    list_connections(ListMemory::Share& memory);

    // 404 and 405 may also mean that this Omni has no such route: only the list can tell.
    asio::awaitable<Result<ConnectionInfo>> get_connection(std::string id);

    // Success: the key is valid.
    asio::awaitable<Result<void>> whoami();

  private:
    // Any response; as http::Client has it.
    asio::awaitable<Result<http::Response>> send(http::Request request,
                                                 http::BodySink sink = nullptr);
    // A 2xx response to a read.
    asio::awaitable<Result<http::Response>> read(http::Request request,
                                                 http::BodySink sink = nullptr);
    void withhold_repeats(ConnectionInfo& info) const;

    rt::Runtime& runtime_;
    http::Client& http_;
    SecretBytes token_;
    Observer observer_;
};

} // namespace oco::omni
