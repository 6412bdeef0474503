#include "base/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include <array>
#include <memory>
#include <stdexcept>

namespace oco {
namespace {

struct FreeMac {
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }

    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

std::string hex(const unsigned char* bytes, std::size_t size) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(size * 2);
    for (std::size_t i = 0; i < size; ++i) {
        text.push_back(digits[bytes[i] >> 4]);
        text.push_back(digits[bytes[i] & 0xF]);
    }
    return text;
}

void require(bool done) {
    if (!done) // only memory shortage or a crippled OpenSSL gets here
        throw std::runtime_error("OpenSSL cannot compute SHA-256");
}

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

} // namespace

std::string keyed_digest(const SecretBytes& key, std::initializer_list<std::string_view> parts) {
    const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    require(mac != nullptr);
    const std::unique_ptr<EVP_MAC_CTX, FreeMac> context(EVP_MAC_CTX_new(mac.get()));
    char algorithm[] = "SHA256";
    const std::array<OSSL_PARAM, 2> params{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, algorithm, 0),
        OSSL_PARAM_construct_end()};
    require(context != nullptr &&
            EVP_MAC_init(context.get(), bytes_of(key.expose()), key.size(), params.data()) == 1);
    for (const auto part : parts) {
        std::array<unsigned char, 8> length{};
        for (std::size_t i = 0; i < 8; ++i)
            length[i] = static_cast<unsigned char>(std::uint64_t{part.size()} >> (56 - 8 * i));
        require(EVP_MAC_update(context.get(), length.data(), length.size()) == 1);
        require(EVP_MAC_update(context.get(), bytes_of(part), part.size()) == 1);
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    std::size_t size = 0;
    require(EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1);
    return hex(out.data(), size);
}

std::string fingerprint(std::string_view bytes, std::size_t hex_characters) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    require(EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr) == 1);
    return hex(out.data(), size).substr(0, hex_characters);
}

} // namespace oco
