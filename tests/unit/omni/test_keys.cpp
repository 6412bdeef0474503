#include "unit/omni/test_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>

#include <array>
#include <stdexcept>

namespace oco::test {
namespace {

// A failing fixture is no test result.
template<class T>
T must(T value) {
    if (!value)
        throw std::runtime_error("OpenSSL could not make a test key");
    return value;
}

Key owned(EVP_PKEY* key) {
    return {must(key), EVP_PKEY_free};
}

template<class Write>
std::string written(Write write) {
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    must(write(bio.get()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

Key generated(const char* algorithm, int bits) {
    const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(
        EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr), EVP_PKEY_CTX_free);
    EVP_PKEY* key = nullptr;
    must(EVP_PKEY_keygen_init(context.get()) == 1);
    must(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), bits) == 1);
    must(EVP_PKEY_generate(context.get(), &key) == 1);
    return owned(key);
}

const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

BIGNUM* odd_number(int bits) {
    BIGNUM* number = must(BN_new());
    must(BN_rand(number, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD) == 1);
    return number;
}

struct Numbers {
    BIGNUM *n = BN_new(), *e = BN_new(), *dp = BN_new(), *dq = BN_new();
    BIGNUM *d = nullptr, *p = nullptr, *q = nullptr, *qinv = nullptr;

    ~Numbers() {
        for (auto* number : {n, e, d, p, q, dp, dq, qinv})
            BN_free(number);
    }
};

// Draws until e can be inverted and the factors share nothing.
bool draw(Numbers& x, int bits, BN_CTX* scratch) {
    x.p = odd_number((bits + 1) / 2);
    x.q = odd_number(bits / 2);
    BN_set_word(x.e, RSA_F4);
    BN_mul(x.n, x.p, x.q, scratch);
    BIGNUM *p1 = BN_dup(x.p), *q1 = BN_dup(x.q), *phi = BN_new();
    BN_sub_word(p1, 1);
    BN_sub_word(q1, 1);
    BN_mul(phi, p1, q1, scratch);
    x.d = BN_mod_inverse(nullptr, x.e, phi, scratch);
    x.qinv = BN_mod_inverse(nullptr, x.q, x.p, scratch);
    const bool usable = x.d != nullptr && x.qinv != nullptr && BN_num_bits(x.n) == bits;
    if (usable) {
        BN_mod(x.dp, x.d, p1, scratch);
        BN_mod(x.dq, x.d, q1, scratch);
    }
    for (auto* number : {p1, q1, phi})
        BN_free(number);
    return usable;
}

Key from_numbers(const Numbers& x) {
    auto* builder = must(OSSL_PARAM_BLD_new());
    const std::array<std::pair<const char*, BIGNUM*>, 8> all{{
        {OSSL_PKEY_PARAM_RSA_N, x.n},
        {OSSL_PKEY_PARAM_RSA_E, x.e},
        {OSSL_PKEY_PARAM_RSA_D, x.d},
        {OSSL_PKEY_PARAM_RSA_FACTOR1, x.p},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, x.q},
        {OSSL_PKEY_PARAM_RSA_EXPONENT1, x.dp},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, x.dq},
        {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, x.qinv},
    }};
    for (const auto& [name, number] : all)
        must(OSSL_PARAM_BLD_push_BN(builder, name, number) == 1);
    OSSL_PARAM* parameters = must(OSSL_PARAM_BLD_to_param(builder));
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
    EVP_PKEY* key = nullptr;
    EVP_PKEY_fromdata_init(context);
    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    return owned(key);
}

} // namespace

Key rsa_key() {
    static const Key key = new_rsa_key(2048);
    return key;
}

Key new_rsa_key(unsigned bits) {
    return owned(EVP_RSA_gen(bits));
}

Key rsa_shaped_key(int bits) {
    const std::unique_ptr<BN_CTX, void (*)(BN_CTX*)> scratch(BN_CTX_new(), BN_CTX_free);
    for (;;) {
        Numbers numbers;
        if (draw(numbers, bits, scratch.get()))
            return from_numbers(numbers);
    }
}

Key ec_key() {
    return owned(EVP_EC_gen("P-256"));
}

Key ed25519_key() {
    return owned(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
}

Key rsa_pss_key() {
    return generated("RSA-PSS", 2048);
}

Key dsa_key() {
    const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(
        EVP_PKEY_CTX_new_from_name(nullptr, "DSA", nullptr), EVP_PKEY_CTX_free);
    EVP_PKEY* parameters = nullptr;
    must(EVP_PKEY_paramgen_init(context.get()) == 1);
    must(EVP_PKEY_CTX_set_dsa_paramgen_bits(context.get(), 1024) == 1);
    must(EVP_PKEY_paramgen(context.get(), &parameters) == 1);
    const Key holder = owned(parameters);
    const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> maker(
        EVP_PKEY_CTX_new_from_pkey(nullptr, parameters, nullptr), EVP_PKEY_CTX_free);
    EVP_PKEY* key = nullptr;
    must(EVP_PKEY_keygen_init(maker.get()) == 1);
    must(EVP_PKEY_generate(maker.get(), &key) == 1);
    return owned(key);
}

std::string pkcs1_pem(const Key& key, const EVP_CIPHER* cipher, std::string_view passphrase) {
    return written([&](BIO* bio) {
        return PEM_write_bio_PrivateKey_traditional(bio, key.get(), cipher, bytes(passphrase),
                                                    static_cast<int>(passphrase.size()), nullptr,
                                                    nullptr);
    });
}

std::string pkcs8_pem(const Key& key, const EVP_CIPHER* cipher, std::string_view passphrase) {
    return written([&](BIO* bio) {
        return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), cipher, passphrase.data(),
                                             static_cast<int>(passphrase.size()), nullptr, nullptr);
    });
}

std::string pkcs8_pem_by_nid(const Key& key, int nid, std::string_view passphrase) {
    return written([&](BIO* bio) {
        return PEM_write_bio_PKCS8PrivateKey_nid(bio, key.get(), nid, passphrase.data(),
                                                 static_cast<int>(passphrase.size()), nullptr,
                                                 nullptr);
    });
}

std::string public_pem(const Key& key) {
    return written([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key.get()); });
}

std::string certificate_pem(const Key& key) {
    const std::unique_ptr<X509, void (*)(X509*)> certificate(X509_new(), X509_free);
    X509_set_pubkey(certificate.get(), key.get());
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    must(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
    return written([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); });
}

X509_ALGOR* pbkdf2(int rounds, int prf_nid, const EVP_CIPHER* cipher) {
    return must(PKCS5_pbe2_set_iv(cipher, rounds, nullptr, 0, nullptr, prf_nid));
}

X509_ALGOR* scrypt(std::uint64_t n, std::uint64_t r, std::uint64_t p) {
    // OpenSSL refuses to name parameters above its own limit: they are put in afterwards.
    auto* algorithm = must(PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 0, nullptr, 2, 1, 1));
    auto* scheme = static_cast<PBE2PARAM*>(
        ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter));
    auto* parameters = static_cast<SCRYPT_PARAMS*>(
        ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), scheme->keyfunc->parameter));
    ASN1_INTEGER_set_uint64(parameters->costParameter, n);
    ASN1_INTEGER_set_uint64(parameters->blockSize, r);
    ASN1_INTEGER_set_uint64(parameters->parallelizationParameter, p);
    ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), parameters, &scheme->keyfunc->parameter);
    ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(PBE2PARAM), scheme, &algorithm->parameter);
    SCRYPT_PARAMS_free(parameters);
    PBE2PARAM_free(scheme);
    return algorithm;
}

X509_ALGOR* pbes1(int nid, int rounds) {
    return must(PKCS5_pbe_set(nid, rounds, nullptr, 0));
}

std::string encrypted_with(const Key& key, X509_ALGOR* algorithm, std::string_view passphrase) {
    auto* info = must(EVP_PKEY2PKCS8(key.get()));
    auto* encrypted = must(
        PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()), info, algorithm));
    auto text = written([&](BIO* bio) { return PEM_write_bio_PKCS8(bio, encrypted); });
    X509_SIG_free(encrypted);
    PKCS8_PRIV_KEY_INFO_free(info);
    return text;
}

std::string claiming(X509_ALGOR* algorithm) {
    auto* encrypted = must(X509_SIG_new());
    X509_ALGOR* place = nullptr;
    ASN1_OCTET_STRING* data = nullptr;
    X509_SIG_getm(encrypted, &place, &data);
    must(X509_ALGOR_copy(place, algorithm) == 1);
    X509_ALGOR_free(algorithm);
    const std::string noise(1200, '\x5A');
    ASN1_OCTET_STRING_set(data, bytes(noise), static_cast<int>(noise.size()));
    auto text = written([&](BIO* bio) { return PEM_write_bio_PKCS8(bio, encrypted); });
    X509_SIG_free(encrypted);
    return text;
}

std::string pem_block(const std::string& label, std::string_view der) {
    return written([&](BIO* bio) {
        return PEM_write_bio(bio, label.c_str(), "", bytes(der), static_cast<long>(der.size())) > 0
                   ? 1
                   : 0;
    });
}

std::string der_of_pem(std::string_view pem) {
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    char *name = nullptr, *header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    must(PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1);
    std::string der(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return der;
}

bool is_key(std::string_view pem, const Key& key) {
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    EVP_PKEY* read = PEM_read_bio_PrivateKey(
        bio.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr);
    // EVP_PKEY_eq compares the public halves only; the text written compares the rest.
    const bool same = read != nullptr && pkcs8_pem(Key(read, EVP_PKEY_free)) == pkcs8_pem(key);
    return same;
}

} // namespace oco::test
