// What a text is that was stored in place of a private key or of a key file, so that a message can
// name it and the way back. Pure, and only asked once the text is known to be of no use.
#pragma once

#include <string>
#include <string_view>

namespace oco::omni {

enum class TextForm {
    unknown,
    byte_order_mark, // UTF-8, with one
    utf16,           // with a byte order mark
    utf16_le,        // without
    utf16_be,
    pem,
    base64_of_pem,
    base64_of_der,
    base64_of_json,
    hex_of_der,
    der,
    pkcs12,
    jwk,
    jwk_set,
    service_account, // Google's, JSON
    json,            // another object
    json_string,     // that holds an object
    openssh_public_key,
    putty,
    path,
};

TextForm form_of(std::string_view text);

// What to do about the forms that only need another encoding, whatever is inside: a predicate
// ("is UTF-16 text; ..."), for the caller to put the subject in front. Empty for other forms.
std::string encoding_advice(TextForm form);

} // namespace oco::omni
