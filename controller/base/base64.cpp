#include "base/base64.hpp"

#include <openssl/evp.h>

namespace oco::base64 {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

unsigned char* bytes_of(char* text) {
    return reinterpret_cast<unsigned char*>(text);
}

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

} // namespace

Result<SecretBytes> decode(std::string_view text) {
    SecretBytes held;
    held.reserve(text.size());
    for (const char c : text)
        if (!is_space(c))
            held.push_back(c);
    const std::string_view symbols = held.expose();
    const std::size_t padding = symbols.size() - (symbols.find_last_not_of('=') + 1);
    if (symbols.size() % 4 != 0 || padding > 2)
        return make_error(ErrorClass::invalid, "not base64: wrong length");
    // What OpenSSL takes beside base64: '=' anywhere, for zeros, and '-' for the end.
    const bool strange = symbols.find_first_of("=-") < symbols.size() - padding;
    SecretBytes out;
    out.resize(symbols.size() / 4 * 3);
    if (strange || EVP_DecodeBlock(bytes_of(out.data()), bytes_of(symbols),
                                   static_cast<int>(symbols.size())) < 0)
        return make_error(ErrorClass::invalid, "not base64");
    out.resize(out.size() - padding);
    return out;
}

std::string encode(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4, '\0');
    EVP_EncodeBlock(bytes_of(out.data()), bytes_of(bytes), static_cast<int>(bytes.size()));
    return out;
}

} // namespace oco::base64
