#include "reconcile/cluster/digest_key.hpp"

#include "base/base64.hpp"
#include "base/digest.hpp"
#include "kube/namespace.hpp"
#include "kube/secret.hpp"

#include <array>

namespace oco::reconcile {
namespace {

constexpr std::size_t key_size = 32;

std::string manifest(const std::string& ns, std::string_view key) {
    json::Writer body;
    body.begin_object()
        .member("apiVersion", "v1")
        .member("kind", "Secret")
        .field("metadata")
        .begin_object()
        .member("name", digest_key_secret)
        .member("namespace", ns)
        .field("labels")
        .begin_object()
        .member("app.kubernetes.io/managed-by", "omni-connection-operator")
        .end_object()
        .end_object()
        .member("type", "Opaque")
        .member("immutable", true)
        .field("data")
        .begin_object()
        .member("key", base64::encode(key))
        .end_object()
        .end_object();
    return body.str();
}

SecretBytes random_key(rt::Runtime& runtime) {
    std::array<unsigned char, key_size> bytes{};
    runtime.random_bytes(bytes);
    SecretBytes key({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    wipe(bytes.data(), bytes.size());
    return key;
}

DigestKey with_id(SecretBytes bytes) {
    DigestKey out;
    out.id = fingerprint(bytes.expose(), 16);
    out.bytes = std::move(bytes);
    return out;
}

boost::asio::awaitable<Error> failure(kube::Client& client, kube::ObjectKey key, std::string done,
                                      Error error) {
    error = co_await kube::blame_operator_namespace(client, key.ns, std::move(error));
    error.message = "Secret " + key.str() + " cannot be " + done + ": " + error.message;
    co_return error;
}

} // namespace

boost::asio::awaitable<Result<DigestKey>> obtain_digest_key(rt::Runtime& runtime,
                                                            kube::Client& client, std::string ns,
                                                            IfMissing if_missing) {
    const kube::ObjectKey key{.ns = ns, .name = std::string(digest_key_secret)};
    auto read = co_await kube::read_secret(client, key, {"key"}, "");
    const bool unreadable = !read && (read.error().kind == ErrorClass::not_found ||
                                      read.error().kind == ErrorClass::forbidden);
    if (unreadable && if_missing == IfMissing::make_up) {
        DigestKey made_up = with_id(random_key(runtime));
        made_up.made_up = true;
        co_return made_up;
    }
    bool created = false;
    if (!read && read.error().kind == ErrorClass::not_found) {
        SecretBytes bytes = random_key(runtime);
        auto made = co_await client.create(kube::resources::secrets.collection(ns),
                                           manifest(ns, bytes.expose()));
        if (!made && made.error().kind != ErrorClass::conflict)
            co_return co_await failure(client, key, "created", made.error());
        created = made.has_value();
        read = co_await kube::read_secret(client, key, {"key"}, "");
    }
    if (!read)
        co_return co_await failure(client, key, "read", read.error());
    const auto value = read->values.find("key");
    if (value == read->values.end() || value->second->size() != key_size)
        co_return make_error(
            ErrorClass::invalid,
            "Secret " + key.str() +
                " must hold 32 random bytes under \"key\"; delete it, and a new one "
                "is created (every credential is then sent once)");
    DigestKey found = with_id(value->second->clone());
    found.created = created;
    co_return found;
}

} // namespace oco::reconcile
