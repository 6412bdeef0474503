// Secrets: their metadata as watched, their values as read when needed.
#pragma once

#include "kube/client.hpp"
#include "kube/object.hpp"

#include <map>
#include <memory>
#include <string_view>

namespace oco::kube {

// No value is kept, and of the annotations only ours: kubectl's last-applied-configuration holds
// whole Secrets.
struct SecretMeta {
    ObjectMeta meta;

    static SecretMeta decode(const json::Value& object) { return {.meta = decode_meta(object)}; }
};

// One read of a Secret: the values asked for, all of the same version.
struct SecretRead {
    ObjectMeta meta;
    std::string type;
    std::string rotation_id; // omniconnection.io/rotation-id, as a bounded_token
    // Of keys that were asked for and are there; for all who share the read.
    std::map<std::string, std::shared_ptr<const SecretBytes>> values;
};

// Whether it is the cluster's own: a service account's or bootstrap token, a Helm release. To send
// such a one away would hand over the cluster.
bool is_cluster_secret(std::string_view type);

// A read that may be served from the API server's watch cache, at `not_older_than` or newer; a
// quorum read when that is empty.
asio::awaitable<Result<SecretRead>> read_secret(Client& client, ObjectKey key,
                                                std::vector<std::string> wanted,
                                                std::string not_older_than);

} // namespace oco::kube
