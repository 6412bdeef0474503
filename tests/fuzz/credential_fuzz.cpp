// Everything a Secret may hold, into everything that reads credentials. The first byte chooses the
// function ('0' to '7'), the rest is its input. Besides what the sanitizers find: a refusal is one
// printable line that repeats nothing of the input, and a key that was accepted is unencrypted
// PKCS#8, which OpenSSL reads as an RSA key of the right size, and which is accepted again,
// unchanged.
#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "check.hpp"
#include "omni/credential.hpp"
#include "omni/request.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <functional>
#include <memory>

namespace {

using namespace oco;
using fuzz::require;
using omni::PreparedCredential;

using Prepare = std::function<Result<PreparedCredential>(std::string_view)>;

constexpr std::size_t run = 8; // bytes in a row that count as repeated
constexpr int most_probes = 4;

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string out(text);
    for (std::size_t at = 0; (at = out.find(from, at)) != std::string::npos; at += to.size())
        out.replace(at, from.size(), to);
    return out;
}

// Our own words may happen to be in the input ("service_account"). They stay what they are when the
// input is changed there; what was copied changes along.
void check_no_echo(const std::string& message, std::string_view input, const Prepare& prepare) {
    int probes = 0;
    for (std::size_t at = 0; at + run <= message.size() && probes < most_probes; ++at) {
        const std::string shared = message.substr(at, run);
        if (input.find(shared) == std::string_view::npos)
            continue;
        ++probes;
        std::string other = shared;
        other[run / 2] = other[run / 2] == 'x' ? 'y' : 'x';
        if (message.find(other) != std::string::npos)
            continue;
        const auto again = prepare(replaced(input, shared, other));
        require(again.has_value() || again.error().message.find(other) == std::string::npos);
        at += run - 1;
    }
}

Result<PreparedCredential> prepared(std::string_view input, const Prepare& prepare) {
    auto result = prepare(input);
    if (result.has_error()) {
        const Error& error = result.error();
        require(error.kind == ErrorClass::invalid);
        require(!error.message.empty() && printable(error.message) == error.message);
        check_no_echo(error.message, input, prepare);
    }
    require(ERR_peek_error() == 0);
    return result;
}

// Sent as it is, or not at all.
void fuzz_unchanged(std::string_view text, const Prepare& prepare) {
    const auto result = prepared(text, prepare);
    require(result.has_error() || result->value.expose() == text);
}

void check_is_rsa_key(std::string_view pem) {
    require(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    require(pem.ends_with("\n-----END PRIVATE KEY-----\n"));
    const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    require(key != nullptr && EVP_PKEY_is_a(key.get(), "RSA") == 1);
    require(EVP_PKEY_get_bits(key.get()) >= 2048 && EVP_PKEY_get_bits(key.get()) <= 16384);
    ERR_clear_error();
}

void fuzz_private_key(std::string_view text) {
    static const SecretBytes passphrase("secret");
    const bool derives = omni::derivation_cost(SecretBytes(text)) != omni::DerivationCost::none;
    for (const SecretBytes* given : {static_cast<const SecretBytes*>(nullptr), &passphrase}) {
        const auto result = prepared(text, [given](std::string_view pem) {
            return omni::prepare_private_key(SecretBytes(pem), given);
        });
        if (result.has_error())
            continue;
        require(given != nullptr || !derives);
        check_is_rsa_key(result->value.expose());
        const auto again = omni::prepare_private_key(result->value, nullptr);
        require(again.has_value() && again->value.expose() == result->value.expose());
    }
}

// Gets the fuzzer past PEM and base64, to the ASN.1 within.
void fuzz_der(const std::string& label, std::string_view der) {
    fuzz_private_key("-----BEGIN " + label + "-----\n" + base64::encode(der) + "\n-----END " +
                     label + "-----\n");
}

Result<PreparedCredential> prepare_service_account(std::string_view text) {
    return omni::prepare_service_account(SecretBytes(text));
}

// Gets the fuzzer past the rest of a service account's file, to its key.
void fuzz_service_account_key(std::string_view pem) {
    const std::string key = json::Writer().value(pem).str();
    fuzz_unchanged(R"({"type":"service_account","project_id":"p","client_email":"a@b.c",)"
                   R"("private_key":)" +
                       key + "}",
                   prepare_service_account);
}

void fuzz_dialect(std::string_view text) {
    using enum omni::CredentialKind;
    for (const auto kind : {password, bigquery_service_account, snowflake_private_key}) {
        const auto fits = omni::matches_dialect(kind, text);
        require(fits.has_value() || (!fits.error().message.empty() &&
                                     printable(fits.error().message) == fits.error().message));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const auto text = fuzz::text_of(data + 1, size - 1);
    switch (data[0] % 8) { // '0' is 48
    case 0:
        fuzz_unchanged(text, [](std::string_view password) {
            return omni::prepare_password(SecretBytes(password));
        });
        break;
    case 1:
        fuzz_unchanged(text, prepare_service_account);
        break;
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
        fuzz_service_account_key(text);
        break;
    default:
        fuzz_dialect(text);
        break;
    }
    return 0;
}
