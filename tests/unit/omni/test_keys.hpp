// Keys made when the tests start: none of them is in the repository.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace oco::test {

using Key = std::shared_ptr<EVP_PKEY>;

// The same one each time (2048 bits).
Key rsa_key();
Key new_rsa_key(unsigned bits);
// All equations of an RSA key hold, but the factors are no primes: made in milliseconds at any
// size.
Key rsa_shaped_key(int bits);
Key ec_key();
Key ed25519_key();
Key rsa_pss_key();
Key dsa_key();

std::string pkcs1_pem(const Key& key, const EVP_CIPHER* cipher = nullptr,
                      std::string_view passphrase = {});
std::string pkcs8_pem(const Key& key, const EVP_CIPHER* cipher = nullptr,
                      std::string_view passphrase = {});
// PBES1 and PKCS#12, by identifier.
std::string pkcs8_pem_by_nid(const Key& key, int nid, std::string_view passphrase);
std::string public_pem(const Key& key);
std::string certificate_pem(const Key& key);

// Algorithms with their parameters; the caller hands them on to one of the two below.
X509_ALGOR* pbkdf2(int rounds, int prf_nid, const EVP_CIPHER* cipher = EVP_aes_256_cbc());
X509_ALGOR* scrypt(std::uint64_t n, std::uint64_t r, std::uint64_t p);
X509_ALGOR* pbes1(int nid, int rounds);
// Really encrypted so.
std::string encrypted_with(const Key& key, X509_ALGOR* algorithm, std::string_view passphrase);
// Only claims to be encrypted so: nothing is derived.
std::string claiming(X509_ALGOR* algorithm);

std::string pem_block(const std::string& label, std::string_view der);
std::string der_of_pem(std::string_view pem);

// Whether `pem` is read by OpenSSL as this key.
bool is_key(std::string_view pem, const Key& key);

} // namespace oco::test
