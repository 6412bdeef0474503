#include "omni/credential.hpp"

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace oco::omni {

Result<PreparedCredential> prepare_password(const SecretBytes& raw) {
    const std::string_view text = raw.expose();
    const auto refuse = [](const char* why) {
        return make_error(ErrorClass::invalid, why);
    };
    if (text.empty())
        return refuse("the password is empty; store it in the Secret");
    if (text.find_first_not_of("\r\n") == std::string_view::npos)
        return refuse("the password consists of line breaks only; store it in the Secret");
    if (text.size() > max_credential_bytes)
        return refuse(
            "the password is larger than 64 KiB, which no password is; correct the key in "
            "spec.credentials, or what is stored under it");
    if (!is_utf8(text))
        return refuse("the password is not valid UTF-8, so it can't be sent to Omni, whose API is "
                      "JSON; store it in the Secret as UTF-8 text");
    if (text.find('\0') != std::string_view::npos)
        return refuse("the password contains NUL bytes (UTF-16?); store it in the Secret as UTF-8 "
                      "text");
    const bool newline = text.back() == '\n' || text.back() == '\r';
    return PreparedCredential{.value = raw.clone(), .ends_in_newline = newline};
}

Result<void> matches_dialect(CredentialKind kind, std::string_view dialect) {
    const std::string name = to_lower(trim(dialect));
    if (name.empty())
        return {};
    const char* advice = nullptr;
    switch (kind) {
    case CredentialKind::password:
        if (name == "bigquery")
            advice = "takes a service account, not a password; use "
                     "spec.credentials.bigQueryServiceAccount";
        break;
    case CredentialKind::bigquery_service_account:
        if (name != "bigquery")
            advice = "does not take a BigQuery service account, and would store the file as its "
                     "password; use spec.credentials.password";
        break;
    case CredentialKind::snowflake_private_key:
        if (name == "bigquery")
            advice = "does not take a Snowflake private key; use "
                     "spec.credentials.bigQueryServiceAccount";
        else if (name != "snowflake")
            advice = "does not take a Snowflake private key; use spec.credentials.password";
        break;
    }
    if (advice == nullptr)
        return {};
    return make_error(ErrorClass::invalid, "the connection's dialect in Omni is \"" +
                                               printable(trim(dialect), 40) + "\", which " +
                                               advice);
}

} // namespace oco::omni
