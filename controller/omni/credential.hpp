// What is checked and converted before a credential is sent: requests are scarce, and a credential
// that Omni stores but the warehouse rejects breaks every dashboard of the connection.
//
// Pure functions. Errors are ErrorClass::invalid; each message says what is wrong and what to do,
// and holds no byte of the credential.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <cstddef>
#include <string_view>

namespace oco::omni {

enum class CredentialKind { password, bigquery_service_account, snowflake_private_key };

// What is to be sent: as `privateKey` for a Snowflake key, else as `passwordUnencrypted`.
struct PreparedCredential {
    SecretBytes value;
    // A password that ends in a line break: sent as it is, but worth a warning. Never set for the
    // other kinds, whose last line break means nothing.
    bool ends_in_newline = false;
};

// Many times what is real. Several copies of each credential exist while it is sent, and JSON may
// make them six times as long: with a whole Secret's 1 MiB some dozens would fill the memory.
inline constexpr std::size_t max_credential_bytes = 64 * 1024;
inline constexpr std::size_t max_private_key_bytes = 64 * 1024;
inline constexpr std::size_t max_passphrase_bytes = 1024; // OpenSSL's own, PEM_BUFSIZE

// Any text that JSON can carry, unchanged: not empty, UTF-8, without NUL. (JSON has no other way
// to hold bytes: a password in another encoding would reach the warehouse altered.)
Result<PreparedCredential> prepare_password(const SecretBytes& raw);

// A Google service account's key file. Sent whole and unchanged. Checked: it is a JSON object with
// `type` "service_account", `project_id`, `client_email` and an RSA `private_key`, each once.
Result<PreparedCredential> prepare_service_account(const SecretBytes& raw);

// An RSA private key of 2048 to 16384 bits in PEM (PKCS#1, PKCS#8, or either encrypted) becomes
// unencrypted PKCS#8 in PEM. `passphrase` may be null; it is ignored when the key is not encrypted.
// Takes as much processor time as `derivation_cost(pem)` says, else about a millisecond (4096
// bits). Not checked: that the key's factors are prime (that alone takes seconds).
Result<PreparedCredential> prepare_private_key(const SecretBytes& pem,
                                               const SecretBytes* passphrase);

// What `prepare_private_key` would have to derive from a passphrase: if anything, then not on the
// event loop. Cheap to tell; `none` for what is no usable key.
enum class DerivationCost {
    none,
    low,  // at most about 0.2 s
    high, // seconds
};
DerivationCost derivation_cost(const SecretBytes& pem);

// Whether a credential of this kind may go to a connection of this dialect (as Omni names it).
// BigQuery takes a service account only, a service account goes nowhere else (another warehouse
// would get it as its password), and a private key goes to Snowflake only. An empty dialect, one
// that could not be read, is no error; nor is a password for a dialect unknown here.
Result<void> matches_dialect(CredentialKind kind, std::string_view dialect);

} // namespace oco::omni
