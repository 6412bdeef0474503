// The random key of the credentials' digests in statuses, so that a status shows whether a value
// changed, and nothing about the value.
#pragma once

#include "kube/client.hpp"

#include <string>

namespace oco::reconcile {

inline constexpr std::string_view digest_key_secret = "omni-connection-operator-digest-key";

struct DigestKey {
    SecretBytes bytes;    // 32
    std::string id;       // identifies the key without revealing it
    bool made_up = false; // it is in no Secret
    bool created = false; // by this process, just now: none has worked here before
};

enum class IfMissing {
    create,  // if several operators do so at once, one wins, and all use its key
    make_up, // a key of this process only, which matches no status
};

// Reads the immutable Secret of the operator's namespace.
boost::asio::awaitable<Result<DigestKey>>
obtain_digest_key(rt::Runtime& runtime, kube::Client& client, std::string ns, IfMissing if_missing);

} // namespace oco::reconcile
