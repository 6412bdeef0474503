#include "omni/pem.hpp"

#include "base/text.hpp"
#include "omni/text_form.hpp"

#include <array>
#include <optional>
#include <string>

namespace oco::omni {
namespace {

constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view end_mark = "-----END ";
constexpr std::string_view dashes = "-----";

// Messages spell no label in capitals, so that they share nothing with the text they are about.
constexpr const char* wants_rsa =
    "; an RSA private key is needed (openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:4096)";
constexpr const char* wants_private = "; the private key itself is needed (cert-manager writes it "
                                      "under tls.key)";

enum class Family { usable_key, other_key, no_key };

struct Label {
    std::string_view name;
    Family family;
    PemKeyForm form;  // of a usable key
    const char* what; // for a message
    const char* advice;
};

constexpr std::array labels{
    Label{"PRIVATE KEY", Family::usable_key, PemKeyForm::pkcs8, "", ""},
    Label{"RSA PRIVATE KEY", Family::usable_key, PemKeyForm::pkcs1, "", ""},
    Label{"ENCRYPTED PRIVATE KEY", Family::usable_key, PemKeyForm::encrypted_pkcs8, "", ""},
    Label{"EC PRIVATE KEY", Family::other_key, {}, "is an elliptic-curve key", wants_rsa},
    Label{"EC PARAMETERS", Family::no_key, {}, "is an elliptic-curve key", wants_rsa},
    Label{"DSA PRIVATE KEY", Family::other_key, {}, "is a DSA key", wants_rsa},
    Label{"OPENSSH PRIVATE KEY",
          Family::other_key,
          {},
          "is in OpenSSH's own format",
          "; convert a copy of it (ssh-keygen -p -m PKCS8 -f FILE)"},
    Label{"PUBLIC KEY", Family::no_key, {}, "is a public key", wants_private},
    Label{"RSA PUBLIC KEY", Family::no_key, {}, "is a public key", wants_private},
    Label{"CERTIFICATE", Family::no_key, {}, "is a certificate", wants_private},
    Label{"X509 CERTIFICATE", Family::no_key, {}, "is a certificate", wants_private},
    Label{"TRUSTED CERTIFICATE", Family::no_key, {}, "is a certificate", wants_private},
    Label{"CERTIFICATE REQUEST", Family::no_key, {}, "is a certificate request", wants_private},
    Label{"NEW CERTIFICATE REQUEST", Family::no_key, {}, "is a certificate request", wants_private},
};
constexpr Label unknown_label{"", Family::no_key, {}, "is PEM of a kind not known here", wants_rsa};

const Label& look_up(std::string_view name) {
    for (const Label& label : labels)
        if (label.name == name)
            return label;
    return unknown_label;
}

// Takes the next line off the text, without its end and the white space around it. All three line
// ends count; an empty line more or less means nothing in PEM but after headers.
std::string_view take_line(std::string_view& text) {
    const auto end = text.find_first_of("\r\n");
    const std::string_view line = text.substr(0, end);
    if (end == std::string_view::npos)
        text = {};
    else
        text.remove_prefix(end + (text.substr(end, 2) == "\r\n" ? 2 : 1));
    return trim(line);
}

// Blocks as they come; only what the verdict needs is kept.
struct Found {
    std::optional<PemKey> key;
    const Label* first_other = nullptr;
    unsigned keys = 0;
    bool others = false;
};

// Headers go up to the first empty line (RFC 1421); without a colon in the first line there are
// none.
Result<PemKey> split_headers(PemKeyForm form, std::string_view content) {
    std::string_view rest = content;
    if (take_line(rest).find(':') == std::string_view::npos)
        return PemKey{.form = form, .headers = {}, .body = content};
    while (!rest.empty()) {
        const std::string_view before = rest;
        if (!take_line(rest).empty())
            continue;
        const auto length = static_cast<std::size_t>(before.data() - content.data());
        return PemKey{.form = form, .headers = content.substr(0, length), .body = rest};
    }
    return invalid("is damaged: no empty line follows the headers of its PEM block");
}

Result<void> take_block(Found& found, std::string_view label_name, std::string_view content) {
    const Label& label = look_up(label_name);
    if (label.family == Family::usable_key) {
        auto key = split_headers(label.form, content);
        if (!key)
            return key.error();
        found.key = *key;
    } else if (found.first_other == nullptr) {
        found.first_other = &label;
    }
    found.keys += label.family == Family::no_key ? 0 : 1;
    found.others = found.others || label.family == Family::no_key;
    return {};
}

// What a BEGIN line names. Two marks in one line: the line breaks were lost.
Result<std::string_view> label_of(std::string_view line) {
    line.remove_prefix(begin_mark.size());
    const auto end = line.find(dashes);
    if (end != std::string_view::npos && end + dashes.size() == line.size())
        return line.substr(0, end);
    if (line.find("\\n") != std::string_view::npos)
        return invalid("has a backslash and an n in place of each line break; store it with real "
                       "line breaks");
    return invalid("has lost its line breaks; store it with each line on a line of its own");
}

// Of a text without a block: what it is instead, and what makes PEM of it.
std::string in_place_of_pem(TextForm form) {
    switch (form) {
    case TextForm::base64_of_pem:
        return "is base64 of PEM: it was encoded twice; put the PEM text itself (base64 -d FILE) "
               "into stringData, or encode it once in data";
    case TextForm::base64_of_der:
        return "is base64 without the lines that begin and end PEM; make PEM of it "
               "(base64 -d FILE | openssl pkey -inform der)";
    case TextForm::hex_of_der:
        return "is DER in hexadecimal; make PEM of it (xxd -r -p FILE | openssl pkey -inform der)";
    case TextForm::der:
        return "is not PEM, but looks like DER; convert it (openssl pkey -inform der -in FILE)";
    case TextForm::pkcs12:
        return "is a PKCS#12 archive; take the private key out of it "
               "(openssl pkcs12 -in FILE -nocerts -noenc)";
    case TextForm::jwk:
        return "is a JWK (JSON Web Key), not PEM; make PEM of it (Python's jwcrypto: "
               "JWK.from_json(text).export_to_pem(True, None))";
    case TextForm::jwk_set:
        return "is a set of JWKs (JSON Web Keys), not PEM; make PEM of one of them (Python's "
               "jwcrypto: JWK.from_json(text).export_to_pem(True, None))";
    case TextForm::service_account:
        return "is a Google service account's key file, not PEM; for BigQuery, name it in "
               "spec.credentials.bigQueryServiceAccount";
    case TextForm::json:
    case TextForm::json_string:
    case TextForm::base64_of_json:
        return "is JSON, not PEM; store the member that holds the key, with real line breaks "
               "(jq -r .MEMBER FILE)";
    case TextForm::openssh_public_key:
        return std::string("is an OpenSSH public key") + wants_private;
    case TextForm::putty:
        return "is in PuTTY's own format; convert it (puttygen FILE -O private-openssh -o KEYFILE)";
    case TextForm::pem:
        return "is not PEM: its first line must stand on a line of its own, without quotes or "
               "anything else in front of it";
    default:
        return encoding_advice(form);
    }
}

Error no_block(std::string_view text) {
    const std::string what = in_place_of_pem(form_of(text));
    return invalid(what.empty() ? "is not PEM: no line begins a PEM block; store the text that "
                                  "begins with five dashes and BEGIN, whole"
                                : what);
}

Result<PemKey> verdict(const Found& found, std::string_view text) {
    if (found.first_other == nullptr && found.keys == 0)
        return no_block(text);
    if (!found.key)
        return make_error(ErrorClass::invalid,
                          std::string(found.first_other->what) + found.first_other->advice);
    if (found.keys > 1)
        return invalid("is more than one key; leave exactly one private key under this name of "
                       "the Secret");
    if (found.others)
        return invalid("has something else beside it, such as a certificate; leave the private key "
                       "alone under this name of the Secret");
    return *found.key;
}

} // namespace

Result<PemKey> find_pem_key(std::string_view text) {
    Found found;
    std::string_view rest = text;
    std::string_view label;
    const char* content = nullptr; // inside a block: where its content begins
    while (!rest.empty()) {
        const char* line_start = rest.data();
        const std::string_view line = take_line(rest);
        if (line.starts_with(begin_mark)) {
            if (content != nullptr)
                return invalid("is damaged: a PEM block begins inside another");
            const auto named = label_of(line);
            if (!named)
                return named.error();
            label = *named;
            content = rest.data();
        } else if (content != nullptr && line.starts_with(end_mark)) {
            const std::string_view end = line.substr(end_mark.size());
            if (!end.ends_with(dashes) || end.substr(0, end.size() - dashes.size()) != label)
                return invalid("is damaged: the first and last line of its PEM block differ");
            const std::string_view inside(content, static_cast<std::size_t>(line_start - content));
            if (auto taken = take_block(found, label, inside); !taken)
                return taken.error();
            content = nullptr;
        }
    }
    if (content != nullptr)
        return invalid("is cut off: its PEM block has no last line");
    return verdict(found, text);
}

} // namespace oco::omni
