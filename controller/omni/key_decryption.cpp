#include "omni/key_decryption.hpp"

#include "omni/credential.hpp"
#include "omni/openssl_handles.hpp"

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>

namespace oco::omni {
namespace {

constexpr const char* unreadable_encryption = "is damaged: its encryption parameters can't be read";
constexpr const char* unsupported =
    "is encrypted in a way that is not supported; encrypt it again (openssl pkcs8 -topk8 -v2 "
    "aes-256-cbc) or store it unencrypted";
constexpr const char* too_many_rounds =
    "is encrypted with more than 2,000,000 rounds of key derivation; encrypt it again with fewer "
    "(openssl pkcs8 -topk8 -iter 600000)";
constexpr const char* too_much_memory =
    "is encrypted with scrypt parameters that take more than 32 MiB; encrypt it again with smaller "
    "ones (openssl pkcs8 -topk8 -scrypt)";

// In rounds of HMAC-SHA-256, of which a slow processor does a million a second. One unit of
// scrypt's N * r * p takes about as long as such a round.
constexpr std::uint64_t costly_from = 250'000;

using Pbes1Ptr = std::unique_ptr<PBEPARAM, Freed<PBEPARAM_free>>;
using Pbes2Ptr = std::unique_ptr<PBE2PARAM, Freed<PBE2PARAM_free>>;
using Pbkdf2Ptr = std::unique_ptr<PBKDF2PARAM, Freed<PBKDF2PARAM_free>>;
using ScryptPtr = std::unique_ptr<SCRYPT_PARAMS, Freed<SCRYPT_PARAMS_free>>;

template<class Owner>
Owner unpack(const X509_ALGOR* algorithm, const ASN1_ITEM* type) {
    return Owner(static_cast<typename Owner::pointer>(
        ASN1_TYPE_unpack_sequence(type, algorithm->parameter)));
}

// A number of at least 1, or 0 for anything else; the largest there is for one that does not fit.
std::uint64_t count_of(const ASN1_INTEGER* number) {
    std::uint64_t value = 0;
    if (number == nullptr || (ASN1_STRING_type(number) & V_ASN1_NEG) != 0)
        return 0;
    if (ASN1_INTEGER_get_uint64(&value, number) != 1)
        return std::numeric_limits<std::uint64_t>::max();
    return value;
}

// How many rounds with HMAC-SHA-256 take as long as one with this function.
std::uint64_t weight_of(int prf) {
    switch (prf) {
    case NID_hmacWithSHA1:
    case NID_hmacWithSHA224:
    case NID_hmacWithSHA256:
    case NID_hmacWithMD5:
        return 1;
    default:
        return 4; // SHA-512 and its relatives take two; others are slower still
    }
}

int prf_of(const PBKDF2PARAM& pbkdf2) {
    return pbkdf2.prf == nullptr ? NID_hmacWithSHA1 : OBJ_obj2nid(pbkdf2.prf->algorithm);
}

// Of what check_pbes2() has accepted.
std::uint64_t rounds_of_pbes2(const X509_ALGOR* algorithm) {
    const auto scheme = unpack<Pbes2Ptr>(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
    if (OBJ_obj2nid(scheme->keyfunc->algorithm) == NID_id_scrypt) {
        const auto scrypt = unpack<ScryptPtr>(scheme->keyfunc, ASN1_ITEM_rptr(SCRYPT_PARAMS));
        return count_of(scrypt->costParameter) * count_of(scrypt->blockSize) *
               count_of(scrypt->parallelizationParameter);
    }
    const auto pbkdf2 = unpack<Pbkdf2Ptr>(scheme->keyfunc, ASN1_ITEM_rptr(PBKDF2PARAM));
    return count_of(pbkdf2->iter) * weight_of(prf_of(*pbkdf2));
}

Result<void> check_rounds(const ASN1_INTEGER* rounds) {
    const std::uint64_t count = count_of(rounds);
    if (count == 0)
        return invalid(unreadable_encryption);
    if (count > max_kdf_iterations)
        return invalid(too_many_rounds);
    return {};
}

Result<void> check_scrypt(const SCRYPT_PARAMS& parameters) {
    const std::uint64_t n = count_of(parameters.costParameter);
    const std::uint64_t r = count_of(parameters.blockSize);
    const std::uint64_t p = count_of(parameters.parallelizationParameter);
    if (n < 2 || (n & (n - 1)) != 0 || r == 0 || p == 0) {
        // The largest number stands for all that are larger still.
        const bool huge = n == std::numeric_limits<std::uint64_t>::max();
        return invalid(huge ? too_much_memory : unreadable_encryption);
    }
    constexpr std::uint64_t units = max_scrypt_bytes / 128;
    // Time grows with N * r * p, memory with r * (N + p + 2). The single limits come first, so
    // that no product overflows.
    if (n > units || r > units || p > units || n * r > units || n * r * p > units ||
        r * (n + p + 2) > units)
        return invalid(too_much_memory);
    return {};
}

// Ciphers of OpenSSL's legacy provider (DES, RC2, RC4) are absent from most installations. Modes
// other than CBC have no place in these formats.
Result<void> check_cipher(int nid) {
    const char* name = nid == NID_undef ? nullptr : OBJ_nid2sn(nid);
    const CipherPtr cipher(name == nullptr ? nullptr : EVP_CIPHER_fetch(nullptr, name, nullptr));
    if (!cipher || EVP_CIPHER_get_mode(cipher.get()) != EVP_CIPH_CBC_MODE)
        return invalid(unsupported);
    return {};
}

Result<void> check_pbes2(const X509_ALGOR* algorithm) {
    const auto scheme = unpack<Pbes2Ptr>(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
    if (!scheme)
        return invalid(unreadable_encryption);
    if (auto cipher = check_cipher(OBJ_obj2nid(scheme->encryption->algorithm)); !cipher)
        return cipher;
    switch (OBJ_obj2nid(scheme->keyfunc->algorithm)) {
    case NID_id_pbkdf2: {
        const auto pbkdf2 = unpack<Pbkdf2Ptr>(scheme->keyfunc, ASN1_ITEM_rptr(PBKDF2PARAM));
        if (!pbkdf2)
            return invalid(unreadable_encryption);
        if (EVP_PBE_find(EVP_PBE_TYPE_PRF, prf_of(*pbkdf2), nullptr, nullptr, nullptr) != 1)
            return invalid(unsupported);
        return check_rounds(pbkdf2->iter);
    }
    case NID_id_scrypt: {
        const auto scrypt = unpack<ScryptPtr>(scheme->keyfunc, ASN1_ITEM_rptr(SCRYPT_PARAMS));
        return scrypt ? check_scrypt(*scrypt) : Result<void>(invalid(unreadable_encryption));
    }
    default:
        return invalid(unsupported);
    }
}

// PBES1 and PKCS#12 name cipher and digest in one identifier, and have the same parameters.
Result<void> check_pbes1(const X509_ALGOR* algorithm, int nid) {
    int cipher_nid = NID_undef;
    if (nid == NID_undef ||
        EVP_PBE_find(EVP_PBE_TYPE_OUTER, nid, &cipher_nid, nullptr, nullptr) != 1)
        return invalid(unsupported);
    const auto scheme = unpack<Pbes1Ptr>(algorithm, ASN1_ITEM_rptr(PBEPARAM));
    if (!scheme)
        return invalid(unreadable_encryption);
    if (auto rounds = check_rounds(scheme->iter); !rounds)
        return rounds;
    return check_cipher(cipher_nid);
}

Result<void> check_encryption(const X509_SIG* encrypted) {
    const X509_ALGOR* algorithm = nullptr;
    X509_SIG_get0(encrypted, &algorithm, nullptr);
    const int nid = OBJ_obj2nid(algorithm->algorithm);
    return nid == NID_pbes2 ? check_pbes2(algorithm) : check_pbes1(algorithm, nid);
}

EncryptedPkcs8Ptr decode(std::string_view der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    return EncryptedPkcs8Ptr(d2i_X509_SIG(nullptr, &at, static_cast<long>(der.size())));
}

Error wrong_passphrase(const SecretBytes& passphrase) {
    const std::string_view text = passphrase.expose();
    return invalid(text.ends_with('\n') || text.ends_with('\r')
                       ? "can't be decrypted with this passphrase, which ends in a line break; "
                         "store it without (printf %s, not echo)"
                       : "can't be decrypted with this passphrase; it is another key's, or one of "
                         "the two is damaged");
}

// The names that OpenSSL writes into DEK-Info and that are worth reading.
bool is_known_cipher(std::string_view name) {
    constexpr std::array<std::string_view, 8> names{
        "AES-128-CBC",      "AES-192-CBC",      "AES-256-CBC",      "DES-EDE3-CBC",
        "CAMELLIA-128-CBC", "CAMELLIA-192-CBC", "CAMELLIA-256-CBC", "DES-CBC"};
    for (const auto known : names)
        if (name == known)
            return true;
    return false;
}

Result<EVP_CIPHER_INFO> read_headers(std::string_view headers) {
    EVP_CIPHER_INFO info{};
    std::string text(headers); // OpenSSL writes into it
    std::erase(text, '\r');
    constexpr std::string_view field = "DEK-Info:";
    const auto at = text.find(field);
    if (at == std::string::npos || text.find('\0') != std::string::npos)
        return invalid(unreadable_encryption);
    std::string_view name = std::string_view(text).substr(at + field.size());
    name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
    name = name.substr(0, name.find(','));
    if (!is_known_cipher(name))
        return invalid(unsupported);
    if (PEM_get_EVP_CIPHER_INFO(text.data(), &info) != 1 || info.cipher == nullptr)
        return invalid(unreadable_encryption);
    if (auto fetched = check_cipher(EVP_CIPHER_get_nid(info.cipher)); !fetched)
        return fetched.error();
    return info;
}

// In place of OpenSSL's default, which would ask on the terminal.
int give_passphrase(char* buffer, int size, int /*writing*/, void* passphrase) {
    const std::string_view text = static_cast<const SecretBytes*>(passphrase)->expose();
    if (size < 0 || text.size() > static_cast<std::size_t>(size))
        return -1;
    std::memcpy(buffer, text.data(), text.size());
    return static_cast<int>(text.size());
}

} // namespace

bool pkcs8_is_costly(std::string_view der) {
    const auto encrypted = decode(der);
    if (!encrypted || !check_encryption(encrypted.get()))
        return false;
    const X509_ALGOR* algorithm = nullptr;
    X509_SIG_get0(encrypted.get(), &algorithm, nullptr);
    if (OBJ_obj2nid(algorithm->algorithm) == NID_pbes2)
        return rounds_of_pbes2(algorithm) > costly_from;
    const auto scheme = unpack<Pbes1Ptr>(algorithm, ASN1_ITEM_rptr(PBEPARAM));
    return count_of(scheme->iter) > costly_from;
}

Result<SecretBytes> decrypt_pkcs8(std::string_view der, const SecretBytes& passphrase) {
    const auto encrypted = decode(der);
    if (!encrypted)
        return invalid(unreadable_encryption);
    if (auto acceptable = check_encryption(encrypted.get()); !acceptable)
        return acceptable.error();
    const Pkcs8Ptr key(PKCS8_decrypt(encrypted.get(), passphrase.expose().data(),
                                     static_cast<int>(passphrase.size())));
    if (!key)
        return wrong_passphrase(passphrase);
    SecretBytes out;
    const int size = i2d_PKCS8_PRIV_KEY_INFO(key.get(), nullptr);
    if (size <= 0)
        return invalid(unreadable_encryption);
    out.resize(static_cast<std::size_t>(size));
    auto* into = reinterpret_cast<unsigned char*>(out.data());
    i2d_PKCS8_PRIV_KEY_INFO(key.get(), &into);
    return out;
}

Result<SecretBytes> decrypt_traditional(std::string_view headers, SecretBytes body,
                                        const SecretBytes& passphrase) {
    auto info = read_headers(headers);
    if (!info)
        return info.error();
    static_assert(max_passphrase_bytes <= PEM_BUFSIZE);
    auto size = static_cast<long>(body.size());
    auto* data = reinterpret_cast<unsigned char*>(body.data());
    auto* callback_argument = const_cast<SecretBytes*>(&passphrase);
    if (PEM_do_header(&*info, data, &size, give_passphrase, callback_argument) != 1 || size <= 0)
        return wrong_passphrase(passphrase);
    body.resize(static_cast<std::size_t>(size));
    return body;
}

} // namespace oco::omni
