// Owners for the OpenSSL objects that hold keys. Each freeing function overwrites what is secret.
#pragma once

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>

namespace oco::omni {

template<auto free_function>
struct Freed {
    template<class T>
    void operator()(T* object) const noexcept {
        free_function(object);
    }
};

using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freed<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPkcs8Ptr = std::unique_ptr<X509_SIG, Freed<X509_SIG_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using NumberScratchPtr = std::unique_ptr<BN_CTX, Freed<BN_CTX_free>>;
using CipherPtr = std::unique_ptr<EVP_CIPHER, Freed<EVP_CIPHER_free>>;

// Whatever OpenSSL says within the scope is dropped, so that no later TLS error finds it in the
// thread's queue.
class ErrorsDropped {
  public:
    ErrorsDropped() { ERR_set_mark(); }

    ~ErrorsDropped() { ERR_pop_to_mark(); }

    ErrorsDropped(const ErrorsDropped&) = delete;
    ErrorsDropped& operator=(const ErrorsDropped&) = delete;
};

} // namespace oco::omni
