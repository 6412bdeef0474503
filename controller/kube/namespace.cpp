#include "kube/namespace.hpp"

#include <algorithm>
#include <utility>

namespace oco::kube {
namespace {

bool is_named(const json::Value& object, std::string_view name) {
    return json::string_at(object, {"metadata", "name"}) == name;
}

} // namespace

asio::awaitable<NamespaceState> look_up_namespace(Client& client, std::string name) {
    const auto list = co_await client.get(resources::namespaces.collection("") + "?fieldSelector=" +
                                              http::percent_encode("metadata.name=" + name),
                                          Accept::metadata_list_only);
    if (!list || !json::string_at(*list, "kind").ends_with("List"))
        co_return NamespaceState::unknown;
    const json::Value* items = json::find(*list, "items");
    if (items == nullptr || !items->IsArray()) // null: there are none
        co_return NamespaceState::absent;
    const auto found = items->GetArray();
    co_return std::any_of(found.begin(), found.end(),
                          [&name](const auto& item) { return is_named(item, name); })
        ? NamespaceState::present
        : NamespaceState::absent;
}

asio::awaitable<Error> blame_operator_namespace(Client& client, std::string name, Error error) {
    if (error.kind != ErrorClass::forbidden && error.kind != ErrorClass::not_found)
        co_return error;
    const auto state = co_await look_up_namespace(client, name);
    const std::string create = "kubectl create namespace " + name;
    if (state == NamespaceState::absent)
        error.message = "namespace " + name + ", the operator's own, does not exist: create it (" +
                        create + "), or name another with --operator-namespace";
    else if (state == NamespaceState::unknown)
        error.message += "; if namespace " + name + " does not exist, create it (" + create +
                         ") or name another with --operator-namespace";
    co_return error;
}

} // namespace oco::kube
