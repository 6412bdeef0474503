#include "base/base64.hpp"
#include "base/utf8.hpp"
#include "omni/credential.hpp"
#include "unit/omni/refusal.hpp"
#include "unit/omni/test_keys.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace oco;
using namespace oco::omni;
using namespace oco::test;
using namespace std::string_literals;

namespace {

Result<PreparedCredential> password(std::string_view text) {
    return prepare_password(SecretBytes(text));
}

Result<PreparedCredential> service_account(std::string_view text) {
    return prepare_service_account(SecretBytes(text));
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text)
        if (c == '\n')
            out += "\\n";
        else if (c == '"' || c == '\\')
            (out += '\\') += c;
        else
            out += c;
    return out + "\"";
}

struct Account {
    std::string type = quoted("service_account");
    std::string project_id = quoted("analytics-4711");
    std::string client_email = quoted("omni@analytics-4711.iam.gserviceaccount.com");
    std::string private_key = quoted(pkcs8_pem(rsa_key()));
    std::string more;

    [[nodiscard]] std::string json() const {
        std::string out = "{\n";
        const auto add = [&](const char* name, const std::string& value) {
            if (!value.empty())
                out += "  "s + quoted(name) + ": " + value + ",\n";
        };
        add("type", type);
        add("project_id", project_id);
        add("private_key", private_key);
        add("client_email", client_email);
        return out + more + "  \"universe_domain\": \"googleapis.com\"\n}\n";
    }
};

} // namespace

TEST_CASE("utf-8: well-formed texts only") {
    for (const auto& text :
         {""s, "a"s, "\x7F"s, "\xC2\x80"s, "\xDF\xBF"s, "\xE0\xA0\x80"s, "\xED\x9F\xBF"s,
          "\xEE\x80\x80"s, "\xEF\xBF\xBF"s, "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s})
        CHECK(is_utf8(text));
    for (const auto& text :
         {"\x80"s, "\xBF"s, "\xC0\x80"s, "\xC1\xBF"s, "\xC2"s, "\xC2\x41"s, "\xE0\x9F\xBF"s,
          "\xED\xA0\x80"s, "\xED\xBF\xBF"s, "\xE2\x82"s, "\xE2\x82\x41"s, "\xF0\x8F\xBF\xBF"s,
          "\xF4\x90\x80\x80"s, "\xF5\x80\x80\x80"s, "\xF0\x90\x80"s, "\xFE"s, "\xFF"s, "a\xFF"s})
        CHECK_FALSE(is_utf8(text));
}

TEST_CASE("password: sent unchanged, its last line break noted") {
    const std::vector<std::pair<std::string, bool>> table{
        {"x", false},        {" spaced ", false},      {"p\xC3\xA4ss", false}, {"a\nb", false},
        {"hunter2\n", true}, {"hunter2\r\n", true},    {"hunter2\r", true},    {"\nx", false},
        {"\t", false},       {"{\"json\":1}\n", true}, {"\x01\x1B", false},
    };
    for (const auto& [text, newline] : table) {
        const auto result = password(text);
        REQUIRE(result.has_value());
        CHECK(result->value.expose() == text);
        CHECK(result->ends_in_newline == newline);
    }
    CHECK(password(std::string(max_credential_bytes, 'x')).has_value());
}

TEST_CASE("password: what is refused") {
    check_refused(password(""), "is empty", "");
    check_refused(password("\n"), "consists of line breaks only", "\n");
    check_refused(password("\r\n\n"), "consists of line breaks only", "\r\n\n");
    check_refused(password("caf\xE9-hunter2"), "not valid UTF-8", "caf\xE9-hunter2");
    check_refused(password("\xFF\xFEh\0u\0n\0"s), "not valid UTF-8", "\xFF\xFEh\0u\0n\0"s);
    check_refused(password("h\0u\0n\0"s), "NUL", "h\0u\0n\0"s);
    const std::string large(max_credential_bytes + 1, '#');
    check_refused(password(large), "larger than 64 KiB", large);
}

TEST_CASE("service account: sent whole and unchanged") {
    std::vector<Account> accounts(5);
    accounts[1].private_key = quoted(pkcs1_pem(rsa_key()));
    accounts[2].private_key = quoted(pkcs8_pem(new_rsa_key(1024)));
    accounts[3].more = "\"token_uri\": \"https://oauth2.googleapis.com/token\", \"n\": [1, {}],\n";
    accounts[4].client_email = quoted("jos\xC3\xA9@x");
    for (const auto& account : accounts) {
        const std::string text = account.json();
        const auto result = service_account(text);
        REQUIRE_MESSAGE(result.has_value(), result.error().message);
        CHECK(result->value.expose() == text);
        CHECK_FALSE(result->ends_in_newline);
    }
}

TEST_CASE("service account: fields that are missing or wrong") {
    const std::vector<std::pair<std::string Account::*, const char*>> fields{
        {&Account::type, "type"},
        {&Account::project_id, "project_id"},
        {&Account::client_email, "client_email"},
        {&Account::private_key, "private_key"}};
    for (const auto& [field, name] : fields) {
        Account account;
        account.*field = "";
        check_refused(service_account(account.json()), "has no \""s + name, pkcs8_pem(rsa_key()));
        for (const char* wrong : {"null", "17", "\"\"", "[\"x\"]", "{}", "true"}) {
            account.*field = wrong;
            check_refused(service_account(account.json()), "is empty or no text", wrong);
        }
        account = Account();
        account.more = quoted(name) + ": \"second\",\n";
        check_refused(service_account(account.json()), "more than once", "second");
    }
    Account user;
    user.type = quoted("authorized_user");
    check_refused(service_account(user.json()), "is of type authorized_user", user.private_key);
    user.type = quoted("hunter2hunter2");
    check_refused(service_account(user.json()), "is not of type", user.type);
}

TEST_CASE("service account: its private key is parsed") {
    const std::string good = pkcs8_pem(rsa_key());
    const std::vector<std::pair<std::string, std::string>> table{
        {"not PEM", "hunter2"},
        {"elliptic-curve", pkcs8_pem(ec_key())},
        {"cut off", good.substr(0, 900)},
        {"certificate", certificate_pem(rsa_key())},
        {"BigQuery can't use", pkcs8_pem(rsa_key(), EVP_aes_256_cbc(), "secret")},
        {"512 bits", pkcs8_pem(new_rsa_key(512))},
        {"backslash", good},
    };
    for (const auto& [why, pem] : table) {
        Account account;
        account.private_key = quoted(pem);
        if (why == "backslash")
            account.private_key = quoted(account.private_key.substr(1, 1700));
        check_refused(service_account(account.json()), "has a private_key that ", pem);
        check_refused(service_account(account.json()), why, pem);
    }
}

TEST_CASE("service account: what is no JSON object") {
    const std::string good = Account().json();
    const std::vector<std::pair<std::string, std::string>> table{
        {"is empty", ""},
        {"byte order mark", "\xEF\xBB\xBF" + good},
        {"iconv -f UTF-16 ", "\xFF\xFE{\0\"\0t\0y\0"s},
        {"iconv -f UTF-16LE", "{\0\"\0t\0y\0p\0"s},
        {"iconv -f UTF-16BE", "\0{\0\"\0t\0y\0p"s},
        {"base64 of JSON", base64::encode(good)},
        {"base64 of JSON", base64::encode(good).substr(0, 501) + "\n"},
        {"inside a JSON string", quoted(good)},
        {"a key or certificate alone", pkcs8_pem(rsa_key())},
        {"a key or certificate alone", certificate_pem(rsa_key())},
        {"a key or certificate alone", base64::encode(pkcs8_pem(rsa_key()))},
        {"a key or certificate alone", base64::encode(der_of_pem(pkcs8_pem(rsa_key())))},
        {"a key or certificate alone", der_of_pem(pkcs8_pem(rsa_key()))},
        {"PKCS#12", "\x30\x82\x0A\x01\x02\x01\x03" + std::string(99, '\xFF')},
        {"the path of a file", "/var/keys/hunter2hunter2.json"},
        {"the path of a file", "hunter2hunter2.json\n"},
        {"the path of a file", "~/hunter2hunter2"},
        {"not UTF-8", good + "\xFF"},
        {"not UTF-8", good + "\0hunter2hunter2"s},
        {"no object", "[]"},
        {"no object", "\"hunter2hunter2\""},
        {"no object", "12345678901234567890"},
        {"not valid JSON", good + "hunter2hunter2"},
        {"not valid JSON", "hunter2hunter2"},
        {"not valid JSON", "type: service_account\nprivate_key: hunter2hunter2"},
        {"as Google Cloud gives it", good.substr(0, good.size() - 3)},
        {"not valid JSON", good.substr(0, good.size() - 3)},
        {"not valid JSON", std::string(50'000, '[')},
        {"larger than 64 KiB", good + std::string(max_credential_bytes, ' ')},
    };
    const std::string pem = pkcs8_pem(rsa_key());
    for (const auto& [why, text] : table) {
        check_refused(service_account(text), why, pem);
        check_refused(service_account(text), why, "hunter2hunter2");
    }
}

TEST_CASE("dialects: which credential goes where") {
    using enum CredentialKind;

    struct Row {
        const char* dialect;
        bool password, service_account, private_key;
    };

    for (const Row& row : {
             Row{"bigquery", false, true, false}, Row{"BigQuery", false, true, false},
             Row{"snowflake", true, false, true}, Row{"SNOWFLAKE", true, false, true},
             Row{"postgres", true, false, false}, Row{"redshift", true, false, false},
             Row{"databricks", true, false, false},
             Row{"a-dialect-of-tomorrow", true, false, false},
             Row{"", true, true, true}, // could not be read
         }) {
        CAPTURE(row.dialect);
        CHECK(matches_dialect(password, row.dialect).has_value() == row.password);
        CHECK(matches_dialect(bigquery_service_account, row.dialect).has_value() ==
              row.service_account);
        CHECK(matches_dialect(snowflake_private_key, row.dialect).has_value() == row.private_key);
    }
}

TEST_CASE("dialects: messages name the dialect and the way out") {
    using enum CredentialKind;
    check_refused(matches_dialect(password, "bigquery"), "bigQueryServiceAccount", "x-none-x");
    check_refused(matches_dialect(bigquery_service_account, "postgres"), "\"postgres\"",
                  "x-none-x");
    check_refused(matches_dialect(snowflake_private_key, "mysql"), "spec.credentials.password",
                  "x-none-x");
    check_refused(matches_dialect(snowflake_private_key, "bigquery"), "bigQueryServiceAccount",
                  "x-none-x");
    check_refused(matches_dialect(snowflake_private_key, "evil\x1B[2J\n" + std::string(900, 'x')),
                  "evil [2J ", "x-none-x");
}
