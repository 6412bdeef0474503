#include "private_key.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <string>

namespace emulator {
namespace {

constexpr int least_bits = 2048;
constexpr std::string_view begin_line = "-----BEGIN PRIVATE KEY-----";
constexpr std::string_view end_line = "-----END PRIVATE KEY-----";

template<auto release>
struct Release {
    template<class T>
    void operator()(T* object) const {
        release(object);
    }
};

using Bio = std::unique_ptr<BIO, Release<BIO_free>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Release<PKCS8_PRIV_KEY_INFO_free>>;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n";
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

Key parse_pkcs8(std::string_view pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const Pkcs8 info(PEM_read_bio_PKCS8_PRIV_KEY_INFO(bio.get(), nullptr, nullptr, nullptr));
    Key key(info ? EVP_PKCS82PKEY(info.get()) : nullptr);
    ERR_clear_error();
    return key;
}

} // namespace

Result<void> check_private_key(std::string_view pem) {
    const auto text = trimmed(pem);
    if (text.empty())
        return problem("Empty private key provided");
    if (text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")) {
        return problem("Invalid private key format: the key is encrypted");
    }
    // Asked for by name, since OpenSSL alone would also take other kinds and text around the block.
    const bool one_block = text.starts_with(begin_line) && text.ends_with(end_line) &&
                           text.find("-----BEGIN", begin_line.size()) == std::string_view::npos;
    if (!one_block)
        return problem("Invalid private key format: PKCS#8 PEM expected");
    const Key key = parse_pkcs8(text);
    if (!key)
        return problem("Invalid private key format");
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
        return problem("Invalid private key format: not an RSA key");
    }
    const int bits = EVP_PKEY_get_bits(key.get());
    if (bits < least_bits) {
        return problem("Invalid private key: insufficient key length (" + std::to_string(bits) +
                       " bits, at least " + std::to_string(least_bits) + " required)");
    }
    return {};
}

} // namespace emulator
