// The API server that the cases run against: a model on virtual time, or a real kube-apiserver.
#pragma once

#include "kube/client.hpp"

#include <memory>
#include <string>

namespace oco::conformance {

class Server {
  public:
    Server() = default;
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    virtual ~Server() = default;

    virtual rt::Runtime& runtime() = 0;
    // With all rights; and with a token that the server does not know.
    virtual kube::Client& client() = 0;
    virtual kube::Client& stranger() = 0;

    // --- what kube::Client cannot, or no client at all
    virtual asio::awaitable<Result<void>> remove(kube::Resource resource, std::string ns,
                                                 std::string name) = 0;
    // RFC 6902.
    asio::awaitable<Result<json::Document>> json_patch(std::string target, std::string body);
    // A token for the next page of a list whose versions the server has forgotten.
    virtual asio::awaitable<std::string> expired_continue_token(kube::Resource resource,
                                                                std::string ns) = 0;

  protected:
    // With all rights.
    virtual asio::awaitable<Result<http::Response>> send(http::Request request) = 0;
    asio::awaitable<Result<json::Document>> call(http::Request request);
};

struct Case {
    std::string_view name;
    // In a namespace of its own. Throws what check.hpp throws.
    asio::awaitable<void> (*run)(Server& server, std::string ns);
};

std::vector<Case> object_cases();
std::vector<Case> status_cases();
std::vector<Case> list_cases();
std::vector<Case> watch_cases();
std::vector<Case> lease_cases();
std::vector<Case> event_cases();
std::vector<Case> watcher_cases();

// All of them, in this order.
std::vector<Case> all_cases();

} // namespace oco::conformance
