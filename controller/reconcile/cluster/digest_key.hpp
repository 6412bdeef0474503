// The random key under which digests of credentials are kept in statuses, so that a status tells
// whether a value changed, and nothing about the value.
#pragma once

#include "kube/client.hpp"

#include <string>

namespace oco::reconcile {

inline constexpr std::string_view digest_key_secret = "omni-connection-operator-digest-key";

struct DigestKey {
    SecretBytes bytes; // 32
    std::string id;    // tells one key from another, not the key
};

enum class IfMissing {
    create,  // of several operators that do so at once one wins, and all use its key
    make_up, // a key of this process alone, which fits no status
};

// Reads the immutable Secret of the operator's namespace.
boost::asio::awaitable<Result<DigestKey>>
obtain_digest_key(rt::Runtime& runtime, kube::Client& client, std::string ns, IfMissing if_missing);

} // namespace oco::reconcile
