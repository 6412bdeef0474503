// Whether a namespace exists: for messages, where the API server itself says "forbidden" or nothing
// at all of one that does not.
#pragma once

#include "kube/client.hpp"

#include <string>

namespace oco::kube {

// Unknown: without the right to list namespaces, or when the API server is in trouble.
enum class NamespaceState { present, absent, unknown };

// By a list of this one name: what the operator's ClusterRole lets it do.
asio::awaitable<NamespaceState> look_up_namespace(Client& client, std::string name);

// An error of a request in the operator's own namespace, with the namespace in its message if that
// does not exist, or may be the reason. Asks only after a 403 or a 404.
asio::awaitable<Error> blame_operator_namespace(Client& client, std::string name, Error error);

} // namespace oco::kube
