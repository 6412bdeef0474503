#include "omni/text_form.hpp"

#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace oco::omni {
namespace {

constexpr std::size_t max_json_bytes = 64 * 1024; // longer ones are not looked into
constexpr std::size_t max_path_bytes = 1024;
constexpr std::size_t min_encoded_key_bytes = 64; // of base64 or hexadecimal

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_base64(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/' || c == '=';
}

unsigned char byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

TextForm utf16_form(std::string_view text) {
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
        return TextForm::utf16;
    constexpr std::size_t looked_at = 8;
    if (text.size() < looked_at)
        return TextForm::unknown;
    const auto ascii_then_nul = [text](std::size_t ascii, std::size_t nul) {
        for (std::size_t i = 0; i < looked_at; i += 2)
            if (text[i + ascii] == '\0' || byte_at(text, i + ascii) > 0x7F || text[i + nul] != '\0')
                return false;
        return true;
    };
    return ascii_then_nul(0, 1)   ? TextForm::utf16_le
           : ascii_then_nul(1, 0) ? TextForm::utf16_be
                                  : TextForm::unknown;
}

// A SEQUENCE: of a key with an INTEGER 0 in front, of a PKCS#12 archive with a 3.
TextForm der_form(std::string_view bytes) {
    if (bytes.size() < 16 || bytes[0] != '\x30' || byte_at(bytes, 1) < 0x80)
        return TextForm::unknown;
    const std::size_t length_bytes = byte_at(bytes, 1) & 0x7F;
    if (length_bytes > 4)
        return TextForm::unknown;
    return bytes.substr(2 + length_bytes).starts_with("\x02\x01\x03") ? TextForm::pkcs12
                                                                      : TextForm::der;
}

bool begins_an_object(std::string_view text) {
    const std::string_view content = trim(text);
    return content.starts_with('{') && content.find('"') != std::string_view::npos;
}

TextForm base64_form(std::string_view text) {
    SecretBytes symbols;
    for (const char c : text) {
        if (is_space(c))
            continue;
        if (!is_base64(c))
            return TextForm::unknown;
        symbols.push_back(c);
    }
    if (symbols.size() < min_encoded_key_bytes)
        return TextForm::unknown;
    // How it begins tells, though its end may be lost.
    const auto head = base64::decode(symbols.expose().substr(0, min_encoded_key_bytes));
    if (!head)
        return TextForm::unknown;
    if (trim(head->expose()).starts_with("-----BEGIN "))
        return TextForm::base64_of_pem;
    if (begins_an_object(head->expose()))
        return TextForm::base64_of_json;
    const TextForm form = der_form(head->expose());
    return form == TextForm::der ? TextForm::base64_of_der : TextForm::unknown;
}

bool is_hex_of_der(std::string_view text) {
    std::string head;
    std::size_t digits = 0;
    for (const char c : text) {
        if (is_space(c) || c == ':')
            continue;
        if (!is_hex(c))
            return false;
        if (digits++ < 4)
            head.push_back(c);
    }
    return digits >= min_encoded_key_bytes && head == "3082";
}

TextForm json_form(std::string_view text) {
    if (text.size() > max_json_bytes)
        return TextForm::unknown;
    const auto document = json::parse(text);
    if (!document)
        return TextForm::unknown;
    if (document->IsString())
        return begins_an_object(json::text_of(*document)) ? TextForm::json_string
                                                          : TextForm::unknown;
    if (!document->IsObject())
        return TextForm::unknown;
    if (json::find(*document, "kty") != nullptr)
        return TextForm::jwk;
    if (const auto* keys = json::find(*document, "keys"); keys != nullptr && keys->IsArray())
        return TextForm::jwk_set;
    return json::string_at(*document, "type") == "service_account" ? TextForm::service_account
                                                                   : TextForm::json;
}

// One word that begins as a path does, or ends as the name of a file with a key.
bool is_path(std::string_view text) {
    const std::string_view word = trim(text);
    const auto is_visible = [](char c) {
        return c > ' ' && c < 0x7F;
    };
    if (word.empty() || word.size() > max_path_bytes || !std::ranges::all_of(word, is_visible))
        return false;
    constexpr std::array<std::string_view, 5> beginnings{"/", "./", "../", "~/", "file:"};
    constexpr std::array<std::string_view, 8> endings{".json", ".pem", ".key", ".p8",
                                                      ".der",  ".p12", ".pfx", ".txt"};
    const bool drive = word.size() > 3 && word[1] == ':' && (word[2] == '\\' || word[2] == '/');
    return drive ||
           std::ranges::any_of(beginnings, [word](auto part) { return word.starts_with(part); }) ||
           std::ranges::any_of(endings, [word](auto part) { return word.ends_with(part); });
}

} // namespace

TextForm form_of(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF"))
        return TextForm::byte_order_mark;
    if (const auto form = utf16_form(text); form != TextForm::unknown)
        return form;
    if (const auto form = der_form(text); form != TextForm::unknown)
        return form;
    const std::string_view content = trim(text);
    if (content.starts_with('{')) // damaged or not, a PEM block in it does not make it PEM
        return json_form(content);
    if (content.starts_with('"'))
        if (const auto form = json_form(content); form != TextForm::unknown)
            return form;
    if (text.find("-----BEGIN ") != std::string_view::npos)
        return TextForm::pem;
    if (content.starts_with("PuTTY-User-Key-File-"))
        return TextForm::putty;
    if (content.starts_with("ssh-") || content.starts_with("ecdsa-sha2-"))
        return TextForm::openssh_public_key;
    if (is_path(text) && content.size() < min_encoded_key_bytes)
        return TextForm::path;
    if (is_hex_of_der(text))
        return TextForm::hex_of_der;
    if (const auto form = base64_form(text); form != TextForm::unknown)
        return form;
    return is_path(text) ? TextForm::path : TextForm::unknown;
}

std::string encoding_advice(TextForm form) {
    const auto utf16 = [](const std::string& name) {
        return "is UTF-16 text, as some editors and PowerShell write it; store it as UTF-8 "
               "(iconv -f " +
               name + " -t UTF-8 FILE)";
    };
    switch (form) {
    case TextForm::byte_order_mark:
        return "begins with a byte order mark; store it as UTF-8 without one "
               "(sed '1s/^\\xEF\\xBB\\xBF//' FILE)";
    case TextForm::utf16:
        return utf16("UTF-16");
    case TextForm::utf16_le:
        return utf16("UTF-16LE");
    case TextForm::utf16_be:
        return utf16("UTF-16BE");
    case TextForm::path:
        return "is the path of a file, not what is in it; store the file itself (kubectl create "
               "secret generic NAME --from-file=KEY=PATH)";
    default:
        return {};
    }
}

} // namespace oco::omni
