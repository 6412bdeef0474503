#include "base/json.hpp"
#include "base/utf8.hpp"
#include "omni/credential.hpp"
#include "omni/private_key.hpp"
#include "omni/text_form.hpp"

#include <string>

namespace oco::omni {
namespace {

// Google signs with what it once issued; 1024 bits could be chosen for a time.
constexpr int min_bits = 1024;

Error invalid_file(std::string message) {
    return make_error(ErrorClass::invalid, "the service account file " + std::move(message));
}

constexpr const char* advice = "; use the JSON key file as Google Cloud gives it";
constexpr const char* new_key =
    "; use the whole JSON key file as Google Cloud gives it (gcloud iam "
    "service-accounts keys create FILE --iam-account=EMAIL)";

// What is stored in place of the file, and the way back; empty: nothing that is known.
std::string in_place_of_file(TextForm form) {
    switch (form) {
    case TextForm::base64_of_json:
        return "is base64 of JSON: it was encoded twice; put the JSON itself (base64 -d FILE) into "
               "stringData, or encode it once in data";
    case TextForm::json_string:
        return "is JSON inside a JSON string: it was encoded twice; take it out (jq -r . FILE)";
    case TextForm::pem:
    case TextForm::base64_of_pem:
    case TextForm::base64_of_der:
    case TextForm::hex_of_der:
    case TextForm::der:
        return std::string("is a key or certificate alone, not JSON") + new_key;
    case TextForm::pkcs12:
        return std::string("is a PKCS#12 archive, not JSON") + new_key;
    default:
        return encoding_advice(form);
    }
}

// A member given twice is read differently by different readers: ours and Omni's might disagree.
Result<std::string_view> member(const json::Value& file, std::string_view name) {
    const json::Value* found = nullptr;
    for (auto it = file.MemberBegin(); it != file.MemberEnd(); ++it) {
        if (json::text_of(it->name) != name)
            continue;
        if (found != nullptr)
            return invalid_file("has \"" + std::string(name) + "\" more than once");
        found = &it->value;
    }
    if (found == nullptr)
        return invalid_file("has no \"" + std::string(name) + "\"" + advice);
    if (json::text_of(*found).empty())
        return invalid_file("has a \"" + std::string(name) + "\" that is empty or no text" +
                            advice);
    return json::text_of(*found);
}

Result<void> check_type(const json::Value& file) {
    const auto type = member(file, "type");
    if (!type)
        return type.error();
    if (*type == "service_account")
        return {};
    // Only kinds known here are named: anything else is the file's own text.
    for (const char* known : {"authorized_user", "external_account", "impersonated_service_account",
                              "external_account_authorized_user", "gdch_service_account"})
        if (*type == known)
            return invalid_file(
                std::string("is of type ") + known +
                "; a service account's key file, of type service_account, is needed");
    return invalid_file(
        "is not of type service_account; use the JSON key file of a service account");
}

Result<void> check_private_key(const json::Value& file) {
    const auto pem = member(file, "private_key");
    if (!pem)
        return pem.error();
    // Without a passphrase there is nothing to derive, so this is fast.
    if (auto key = normalise_rsa_key(*pem, nullptr, min_bits); !key) {
        const bool encrypted = key.error().message.starts_with("is encrypted");
        return invalid_file(
            "has a private_key that " +
            (encrypted ? "is encrypted, which BigQuery can't use" : key.error().message));
    }
    return {};
}

Result<void> check_text(std::string_view text) {
    if (text.empty())
        return invalid_file("is empty");
    if (text.size() > max_credential_bytes)
        return invalid_file("is larger than 64 KiB, which no service account's key file is");
    const bool readable = is_utf8(text) && text.find('\0') == std::string_view::npos;
    if (readable && !text.starts_with("\xEF\xBB\xBF"))
        return {};
    const std::string what = in_place_of_file(form_of(text));
    return invalid_file(
        what.empty() ? "is not UTF-8 text; store it in the Secret as Google Cloud gives it" : what);
}

Error not_an_object(std::string_view text, const Result<json::Document>& file) {
    const std::string what = in_place_of_file(form_of(text));
    if (!what.empty())
        return invalid_file(what);
    return invalid_file((file ? "is JSON, but no object" : "is " + file.error().message) + advice);
}

} // namespace

Result<PreparedCredential> prepare_service_account(const SecretBytes& raw) {
    if (auto text = check_text(raw.expose()); !text)
        return text.error();
    const auto file = json::parse(raw.expose());
    if (!file || !file->IsObject())
        return not_an_object(raw.expose(), file);
    if (auto type = check_type(*file); !type)
        return type.error();
    for (const auto name : {"project_id", "client_email"})
        if (auto present = member(*file, name); !present)
            return present.error();
    if (auto key = check_private_key(*file); !key)
        return key.error();
    return PreparedCredential{.value = raw.clone()};
}

} // namespace oco::omni
