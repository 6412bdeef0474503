// Everything a Secret may hold, into everything that reads credentials. The first byte chooses the
// function, the rest is its input. Besides what the sanitizers find: a refusal is one printable
// line, and a key that was accepted is accepted again, unchanged.
#include "base/base64.hpp"
#include "base/text.hpp"
#include "omni/credential.hpp"

#include <openssl/err.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using oco::Result;
using oco::SecretBytes;
using oco::omni::PreparedCredential;

void require(bool holds) {
    if (!holds)
        std::abort();
}

template<class T>
void check_refusal(const Result<T>& result) {
    if (result.has_value())
        return;
    require(result.error().kind == oco::ErrorClass::invalid);
    require(!result.error().message.empty());
    require(oco::printable(result.error().message) == result.error().message);
}

void fuzz_private_key(std::string_view text) {
    const SecretBytes pem(text);
    const SecretBytes passphrase("secret");
    const bool derives = oco::omni::needs_key_derivation(pem);
    for (const SecretBytes* given : {static_cast<const SecretBytes*>(nullptr), &passphrase}) {
        const auto result = oco::omni::prepare_private_key(pem, given);
        check_refusal(result);
        if (result.has_error())
            continue;
        require(given != nullptr || !derives);
        const auto again = oco::omni::prepare_private_key(result->value, nullptr);
        require(again.has_value() && again->value.expose() == result->value.expose());
    }
    require(ERR_peek_error() == 0);
}

// Gets the fuzzer past PEM and base64, to the ASN.1 within.
void fuzz_der(const std::string& label, std::string_view der) {
    fuzz_private_key("-----BEGIN " + label + "-----\n" + oco::base64::encode(der) + "\n-----END " +
                     label + "-----\n");
}

void fuzz_dialect(std::string_view text) {
    using enum oco::omni::CredentialKind;
    for (const auto kind : {password, bigquery_service_account, snowflake_private_key})
        check_refusal(oco::omni::matches_dialect(kind, text));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 7) {
    case 0: {
        const auto result = oco::omni::prepare_password(SecretBytes(text));
        check_refusal(result);
        require(result.has_error() || result->value.expose() == text);
        break;
    }
    case 1: {
        const auto result = oco::omni::prepare_service_account(SecretBytes(text));
        check_refusal(result);
        require(result.has_error() || result->value.expose() == text);
        break;
    }
    case 2:
        fuzz_private_key(text);
        break;
    case 3:
        fuzz_der("RSA PRIVATE KEY", text);
        break;
    case 4:
        fuzz_der("PRIVATE KEY", text);
        break;
    case 5:
        fuzz_der("ENCRYPTED PRIVATE KEY", text);
        break;
    case 6:
        fuzz_dialect(text);
        break;
    }
    return 0;
}
