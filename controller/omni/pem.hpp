// PEM (RFC 7468, and the RFC 1421 headers that OpenSSL still writes): finds the one private key in
// a text, and says what else it found in place of it.
#pragma once

#include "base/result.hpp"

#include <string_view>

namespace oco::omni {

enum class PemKeyForm { pkcs1, pkcs8, encrypted_pkcs8 };

// Views into the text given.
struct PemKey {
    PemKeyForm form;
    std::string_view headers; // "Proc-Type: ..." and "DEK-Info: ...", or empty
    std::string_view body;    // base64

    [[nodiscard]] bool encrypted() const {
        return form == PemKeyForm::encrypted_pkcs8 || !headers.empty();
    }
};

// Exactly one private key, with any text around it but no other PEM block. The error's message is
// a predicate ("is a certificate; ..."), for the caller to put the subject in front.
Result<PemKey> find_pem_key(std::string_view text);

} // namespace oco::omni
