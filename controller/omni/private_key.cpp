#include "omni/private_key.hpp"

#include "base/base64.hpp"
#include "omni/credential.hpp"
#include "omni/key_decryption.hpp"
#include "omni/openssl_handles.hpp"
#include "omni/pem.hpp"

#include <openssl/core_names.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace oco::omni {
namespace {

constexpr const char* no_rsa_key = "is damaged: what its PEM block holds is not an RSA private key";

// PKCS#1 is the inside of PKCS#8: wrapped, both are read by the same code. (OpenSSL's reader for
// the bare form also guesses at other formats.)
Pkcs8Ptr wrap_pkcs1(std::string_view der) {
    Pkcs8Ptr info(PKCS8_PRIV_KEY_INFO_new());
    auto* copy = static_cast<unsigned char*>(OPENSSL_malloc(der.size()));
    if (!info || copy == nullptr) {
        OPENSSL_free(copy);
        return nullptr;
    }
    std::memcpy(copy, der.data(), der.size());
    // On success `copy` belongs to `info`, which wipes it.
    if (PKCS8_pkey_set0(info.get(), OBJ_nid2obj(NID_rsaEncryption), 0, V_ASN1_NULL, nullptr, copy,
                        static_cast<int>(der.size())) != 1) {
        OPENSSL_clear_free(copy, der.size());
        return nullptr;
    }
    return info;
}

Pkcs8Ptr read_pkcs8(std::string_view der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    return Pkcs8Ptr(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
}

Result<void> check_algorithm(const PKCS8_PRIV_KEY_INFO* info) {
    const ASN1_OBJECT* algorithm = nullptr;
    PKCS8_pkey_get0(&algorithm, nullptr, nullptr, nullptr, info);
    constexpr const char* wanted = "; an RSA private key is needed";
    switch (OBJ_obj2nid(algorithm)) {
    case NID_rsaEncryption:
        return {};
    case NID_rsassaPss:
        return invalid("is restricted to RSA-PSS signatures; a plain RSA private key is needed "
                       "(openssl genpkey -algorithm rsa)");
    case NID_X9_62_id_ecPublicKey:
        return invalid(std::string("is an elliptic-curve key") + wanted);
    case NID_ED25519:
    case NID_ED448:
    case NID_X25519:
    case NID_X448:
        return invalid(std::string("is an Edwards-curve key (Ed25519 or its kin)") + wanted);
    case NID_dsa:
        return invalid(std::string("is a DSA key") + wanted);
    case NID_dhKeyAgreement:
    case NID_dhpublicnumber:
        return invalid(std::string("is a Diffie-Hellman key") + wanted);
    default:
        return invalid(std::string("is a key of another kind") + wanted);
    }
}

NumberPtr number_of(const EVP_PKEY* key, const char* name) {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key, name, &number);
    return NumberPtr(number);
}

// Whether a * b leaves 1 when divided by `modulus`.
bool are_inverse(const BIGNUM* a, const BIGNUM* b, const BIGNUM* modulus, BN_CTX* scratch) {
    const NumberPtr product(BN_new());
    return product && BN_mod_mul(product.get(), a, b, modulus, scratch) == 1 &&
           BN_is_one(product.get());
}

// One prime's share: its exponent inverts e and is d reduced.
bool factor_fits(const BIGNUM* factor, const BIGNUM* exponent, const BIGNUM* e, const BIGNUM* d,
                 BN_CTX* scratch) {
    const NumberPtr below(BN_dup(factor));
    const NumberPtr reduced(BN_new());
    return below && reduced && BN_sub_word(below.get(), 1) == 1 && !BN_is_zero(below.get()) &&
           BN_mod(reduced.get(), d, below.get(), scratch) == 1 &&
           BN_cmp(reduced.get(), exponent) == 0 && are_inverse(e, exponent, below.get(), scratch);
}

// Catches a damaged or patched-together key in well under a millisecond. OpenSSL's own check would
// also prove the factors prime, which takes seconds for large keys.
bool numbers_fit(const EVP_PKEY* key) {
    const NumberPtr n = number_of(key, OSSL_PKEY_PARAM_RSA_N);
    const NumberPtr e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
    const NumberPtr d = number_of(key, OSSL_PKEY_PARAM_RSA_D);
    const NumberPtr p = number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR1);
    const NumberPtr q = number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR2);
    const NumberPtr dp = number_of(key, OSSL_PKEY_PARAM_RSA_EXPONENT1);
    const NumberPtr dq = number_of(key, OSSL_PKEY_PARAM_RSA_EXPONENT2);
    const NumberPtr qinv = number_of(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
    const NumberScratchPtr scratch(BN_CTX_secure_new());
    const NumberPtr product(BN_new());
    if (!n || !e || !d || !p || !q || !dp || !dq || !qinv || !scratch || !product)
        return false;
    // Factors of about the same size; and an exponent that OpenSSL and Java can use.
    const int half = BN_num_bits(n.get()) / 2;
    if (BN_num_bits(p.get()) < half / 2 || BN_num_bits(q.get()) < half / 2 ||
        BN_num_bits(e.get()) > 64 || BN_is_one(e.get()) || !BN_is_odd(e.get()) ||
        BN_cmp(d.get(), n.get()) >= 0)
        return false;
    return BN_mul(product.get(), p.get(), q.get(), scratch.get()) == 1 &&
           BN_cmp(product.get(), n.get()) == 0 &&
           factor_fits(p.get(), dp.get(), e.get(), d.get(), scratch.get()) &&
           factor_fits(q.get(), dq.get(), e.get(), d.get(), scratch.get()) &&
           are_inverse(q.get(), qinv.get(), p.get(), scratch.get());
}

Result<KeyPtr> checked_key(const PKCS8_PRIV_KEY_INFO* info, int min_bits) {
    if (info == nullptr)
        return invalid(no_rsa_key);
    if (auto algorithm = check_algorithm(info); !algorithm)
        return algorithm.error();
    KeyPtr key(EVP_PKCS82PKEY(info));
    if (!key || EVP_PKEY_is_a(key.get(), "RSA") != 1)
        return invalid(no_rsa_key);
    const int bits = EVP_PKEY_get_bits(key.get());
    if (bits < min_bits || bits > max_rsa_bits)
        return invalid("is an RSA key of " + std::to_string(bits) + " bits; " +
                       std::to_string(min_bits) + " to " + std::to_string(max_rsa_bits) +
                       " are accepted");
    if (!numbers_fit(key.get()))
        return invalid("is damaged: its numbers do not fit together as those of an RSA key with "
                       "two primes do");
    return key;
}

// base64::encode of base/ makes a std::string, which is not wiped.
void append_pem(SecretBytes& out, std::string_view der) {
    constexpr std::size_t bytes_a_line = 48;
    std::array<unsigned char, bytes_a_line / 3 * 4 + 1> line{};
    out.reserve(der.size() / 3 * 4 + der.size() / bytes_a_line + 128);
    out.append("-----BEGIN PRIVATE KEY-----\n");
    for (; !der.empty(); der.remove_prefix(std::min(bytes_a_line, der.size()))) {
        const int length =
            EVP_EncodeBlock(line.data(), reinterpret_cast<const unsigned char*>(der.data()),
                            static_cast<int>(std::min(bytes_a_line, der.size())));
        out.append({reinterpret_cast<const char*>(line.data()), static_cast<std::size_t>(length)});
        out.push_back('\n');
    }
    out.append("-----END PRIVATE KEY-----\n");
    wipe(line.data(), line.size());
}

Result<SecretBytes> to_pkcs8_pem(const EVP_PKEY* key) {
    const Pkcs8Ptr info(EVP_PKEY2PKCS8(key));
    const int size = info ? i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr) : 0;
    if (size <= 0)
        return invalid(no_rsa_key);
    SecretBytes der;
    der.resize(static_cast<std::size_t>(size));
    auto* into = reinterpret_cast<unsigned char*>(der.data());
    i2d_PKCS8_PRIV_KEY_INFO(info.get(), &into);
    SecretBytes pem;
    append_pem(pem, der.expose());
    return pem;
}

Result<void> check_passphrase(const SecretBytes* passphrase) {
    if (passphrase == nullptr)
        return invalid("is encrypted; name its passphrase's key of the Secret in passphraseKey, "
                       "or store the private key unencrypted");
    if (passphrase->empty())
        return invalid("is encrypted, and its passphrase is empty");
    if (passphrase->size() > max_passphrase_bytes)
        return invalid("is encrypted, and its passphrase is longer than 1024 bytes");
    return {};
}

Result<SecretBytes> decrypted_der(const PemKey& key, const SecretBytes* passphrase) {
    auto der = base64::decode(key.body);
    if (!der || der->empty())
        return invalid("is damaged: its PEM block does not hold base64");
    if (!key.encrypted())
        return der;
    if (auto usable = check_passphrase(passphrase); !usable)
        return usable.error();
    if (key.headers.empty())
        return decrypt_pkcs8(der->expose(), *passphrase);
    if (key.form != PemKeyForm::pkcs1)
        return invalid("is damaged: its PEM block has headers, which only PKCS#1 can have");
    return decrypt_traditional(key.headers, std::move(*der), *passphrase);
}

// Apart from its caller and never inlined, so that its frame, and all below it, lie in what
// scrub_stack overwrites.
[[gnu::noinline]] Result<SecretBytes> normalise(std::string_view pem, const SecretBytes* passphrase,
                                                int min_bits) {
    const ErrorsDropped errors_dropped;
    const auto found = find_pem_key(pem);
    if (!found)
        return found.error();
    auto der = decrypted_der(*found, passphrase);
    if (!der)
        return der.error();
    const bool bare = found->form == PemKeyForm::pkcs1;
    const Pkcs8Ptr info = bare ? wrap_pkcs1(der->expose()) : read_pkcs8(der->expose());
    auto key = checked_key(info.get(), min_bits);
    if (!key)
        return key.error();
    return to_pkcs8_pem(key->get());
}

// Overwrites the dead frames of what ran before. What was found there, down to 2.4 KiB, is vector
// registers that still held parts of a key, saved by the dynamic linker at the first call of a
// function: linking with `-z now` removes that cause, this removes what any other leaves.
[[gnu::noinline]] void scrub_stack() {
    std::array<char, 32UL * 1024> dead; // NOLINT(*-member-init): to be overwritten, not read
    wipe(dead.data(), dead.size());
}

} // namespace

Result<SecretBytes> normalise_rsa_key(std::string_view pem, const SecretBytes* passphrase,
                                      int min_bits) {
    if (pem.empty())
        return invalid("is empty");
    if (pem.size() > max_private_key_bytes)
        return invalid("is larger than 64 KiB, which no private key is");
    auto outcome = normalise(pem, passphrase, min_bits);
    scrub_stack();
    return outcome;
}

Result<PreparedCredential> prepare_private_key(const SecretBytes& pem,
                                               const SecretBytes* passphrase) {
    constexpr int min_bits = 2048; // Snowflake's own limit
    auto normal = normalise_rsa_key(pem.expose(), passphrase, min_bits);
    if (!normal)
        return invalid("the private key " + normal.error().message);
    return PreparedCredential{.value = std::move(*normal)};
}

DerivationCost derivation_cost(const SecretBytes& pem) {
    if (pem.size() > max_private_key_bytes)
        return DerivationCost::none;
    const ErrorsDropped errors_dropped;
    const auto found = find_pem_key(pem.expose());
    if (!found || !found->encrypted())
        return DerivationCost::none;
    const auto der = base64::decode(found->body);
    const bool high = der && found->headers.empty() && pkcs8_is_costly(der->expose());
    return high ? DerivationCost::high : DerivationCost::low;
}

} // namespace oco::omni
