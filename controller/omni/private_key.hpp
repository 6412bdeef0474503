// RSA private keys: from any of the usual PEM forms to one checked, canonical form.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <string_view>

namespace oco::omni {

inline constexpr int max_rsa_bits = 16384;

// Reads, decrypts, checks: RSA, `min_bits` to `max_rsa_bits`, its numbers fit together. Returns
// unencrypted PKCS#8 in PEM. The messages are predicates ("is encrypted, ..."), for the caller to
// put the subject in front. `passphrase` may be null.
Result<SecretBytes> normalise_rsa_key(std::string_view pem, const SecretBytes* passphrase,
                                      int min_bits);

} // namespace oco::omni
