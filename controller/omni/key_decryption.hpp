// Decryption of private keys with a passphrase, bounded: how much work deriving the key takes is
// said by the file, which is somebody else's input, so it is read and checked first.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <cstdint>
#include <string_view>

namespace oco::omni {

inline constexpr std::uint64_t max_kdf_iterations = 2'000'000;
// As OpenSSL counts it: 128 * r * (N + p + 2) bytes.
inline constexpr std::uint64_t max_scrypt_bytes = 32 * 1024 * 1024;

// An EncryptedPrivateKeyInfo (RFC 5958; PBES2 with PBKDF2 or scrypt, PBES1, PKCS#12) in DER becomes
// a PrivateKeyInfo in DER. The messages are predicates, as those of find_pem_key.
Result<SecretBytes> decrypt_pkcs8(std::string_view der, const SecretBytes& passphrase);

// Whether deriving its key takes longer than some tenths of a second of processor time. False for
// what decrypt_pkcs8() would refuse at once.
bool pkcs8_is_costly(std::string_view der);

// OpenSSL's traditional encryption: `headers` name the cipher, the key comes from one round of MD5.
Result<SecretBytes> decrypt_traditional(std::string_view headers, SecretBytes body,
                                        const SecretBytes& passphrase);

} // namespace oco::omni
