#include "kube/secret.hpp"

#include "base/base64.hpp"

namespace oco::kube {

bool is_cluster_secret(std::string_view type) {
    return type == "kubernetes.io/service-account-token" ||
           type == "bootstrap.kubernetes.io/token" || type == "helm.sh/release.v1";
}

asio::awaitable<Result<SecretRead>> read_secret(Client& client, ObjectKey key,
                                                std::vector<std::string> wanted,
                                                std::string not_older_than) {
    std::string target = resources::secrets.object(key.ns, key.name);
    if (!not_older_than.empty())
        target.append("?resourceVersion=").append(http::percent_encode(not_older_than));
    auto document = co_await client.get(target);
    if (!document)
        co_return document.error();
    SecretRead out{.meta = decode_meta(*document),
                   .type = std::string(json::string_at(*document, "type")),
                   .rotation_id = annotation(*document, "omniconnection.io/rotation-id")};
    const json::Value* data = json::find(*document, "data");
    for (auto& name : wanted) {
        const json::Value* text = data == nullptr ? nullptr : json::find(*data, name);
        if (text == nullptr)
            continue;
        auto bytes = base64::decode(json::text_of(*text));
        if (!bytes)
            co_return make_error(ErrorClass::unavailable, "the API server's answer for Secret " +
                                                              key.str() + " is not base64");
        out.values.emplace(std::move(name), std::make_shared<const SecretBytes>(std::move(*bytes)));
    }
    co_return out;
}

} // namespace oco::kube
