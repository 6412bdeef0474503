#include "base/base64.hpp"
#include "omni/credential.hpp"
#include "omni/key_decryption.hpp"
#include "unit/omni/refusal.hpp"
#include "unit/omni/test_keys.hpp"

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <chrono>
#include <string>
#include <vector>

using namespace oco;
using namespace oco::omni;
using namespace oco::test;

namespace {

constexpr std::string_view passphrase_text = "correct horse";

Result<PreparedCredential> prepare(std::string_view pem) {
    return prepare_private_key(SecretBytes(pem), nullptr);
}

Result<PreparedCredential> prepare(std::string_view pem, std::string_view passphrase) {
    const SecretBytes bytes(passphrase);
    return prepare_private_key(SecretBytes(pem), &bytes);
}

void check_normal(const Result<PreparedCredential>& result, const Key& key) {
    REQUIRE_MESSAGE(result.has_value(), result.error().message);
    const auto text = result->value.expose();
    CHECK(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    CHECK(text.ends_with("\n-----END PRIVATE KEY-----\n"));
    CHECK(text == pkcs8_pem(key)); // byte for byte what OpenSSL writes
    CHECK(is_key(text, key));
    CHECK_FALSE(result->ends_in_newline);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
}

std::string quoted(const std::string& text) {
    return '"' + replaced(text, "\n", "\\n") + '"';
}

std::string in_hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        (out += digits[byte >> 4U]) += digits[byte & 0xFU];
    }
    return out;
}

enum class Endian { little, big };

std::string in_utf16(std::string_view ascii, Endian endian) {
    std::string out;
    for (const char c : ascii)
        (out += endian == Endian::big ? '\0' : c) += endian == Endian::big ? c : '\0';
    return out;
}

bool needs(std::string_view pem) {
    return derivation_cost(SecretBytes(pem)) != DerivationCost::none;
}

} // namespace

TEST_CASE("private key: plain forms become PKCS#8") {
    const Key key = rsa_key();
    check_normal(prepare(pkcs1_pem(key)), key);
    check_normal(prepare(pkcs8_pem(key)), key);
    CHECK_FALSE(needs(pkcs1_pem(key)));
    CHECK_FALSE(needs(pkcs8_pem(key)));
    // A passphrase nobody asked for does no harm, not even an empty or a huge one.
    for (const auto& unused : {std::string("unused"), std::string(), std::string(5000, 'x')})
        check_normal(prepare(pkcs1_pem(key), unused), key);
}

TEST_CASE("private key: white space and text around the block mean nothing") {
    const Key key = rsa_key();
    for (const auto& pem : {pkcs8_pem(key), pkcs1_pem(key)}) {
        check_normal(prepare(replaced(pem, "\n", "\r\n")), key);
        check_normal(prepare(replaced(pem, "\n", "\r")), key);
        check_normal(prepare(replaced(pem, "\n", "\n    ")), key);
        check_normal(prepare(pem.substr(0, pem.size() - 1)), key);
        check_normal(prepare("Bag Attributes\n  friendlyName: x\n\n" + pem + "\n\nmore\n"), key);
    }
}

TEST_CASE("private key: encrypted PKCS#8") {
    const Key key = rsa_key();
    const std::vector<std::pair<const char*, std::string>> table{
        {"aes-128", pkcs8_pem(key, EVP_aes_128_cbc(), passphrase_text)},
        {"aes-256", pkcs8_pem(key, EVP_aes_256_cbc(), passphrase_text)},
        {"3des", pkcs8_pem(key, EVP_des_ede3_cbc(), passphrase_text)},
        {"camellia", pkcs8_pem(key, EVP_camellia_256_cbc(), passphrase_text)},
        {"sha-1", encrypted_with(key, pbkdf2(1000, NID_hmacWithSHA1), passphrase_text)},
        {"sha-512", encrypted_with(key, pbkdf2(1000, NID_hmacWithSHA512), passphrase_text)},
        {"one round", encrypted_with(key, pbkdf2(1, NID_hmacWithSHA256), passphrase_text)},
        {"scrypt", encrypted_with(key, scrypt(16384, 8, 1), passphrase_text)},
        {"pkcs#12", pkcs8_pem_by_nid(key, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, passphrase_text)},
    };
    for (const auto& [name, pem] : table) {
        CAPTURE(name);
        CHECK(needs(pem));
        check_normal(prepare(pem, passphrase_text), key);
        check_refused(prepare(pem), "passphraseKey", pem);
        check_refused(prepare(pem, ""), "passphrase is empty", pem);
        check_refused(prepare(pem, "wrong horse"), "can't be decrypted with this passphrase", pem);
    }
}

TEST_CASE("private key: traditionally encrypted PKCS#1") {
    const Key key = rsa_key();
    for (const auto* cipher : {EVP_aes_128_cbc(), EVP_aes_192_cbc(), EVP_aes_256_cbc(),
                               EVP_des_ede3_cbc(), EVP_camellia_128_cbc()}) {
        const std::string pem = pkcs1_pem(key, cipher, passphrase_text);
        REQUIRE(contains(pem, "DEK-Info"));
        CHECK(needs(pem));
        check_normal(prepare(pem, passphrase_text), key);
        check_normal(prepare(replaced(pem, "\n", "\r\n"), passphrase_text), key);
        check_refused(prepare(pem), "passphraseKey", pem);
    }
    // There is no check value but the padding: a wrong passphrase passes it once in 256 times, and
    // what then comes out is no key.
    const std::string pem = pkcs1_pem(key, EVP_aes_256_cbc(), passphrase_text);
    for (int i = 0; i < 2000; ++i)
        REQUIRE(prepare(pem, "wrong " + std::to_string(i)).has_error());
}

TEST_CASE("private key: what a passphrase may look like") {
    const Key key = rsa_key();
    const std::string longest(max_passphrase_bytes, 'p');
    const std::string with_nul("a\0b\xC3\xA9", 5);
    for (const auto& passphrase : {longest, with_nul, std::string("x\n")}) {
        check_normal(
            prepare(encrypted_with(key, pbkdf2(10, NID_hmacWithSHA256), passphrase), passphrase),
            key);
        check_normal(prepare(pkcs1_pem(key, EVP_aes_256_cbc(), passphrase), passphrase), key);
    }
    const std::string pem = pkcs1_pem(key, EVP_aes_256_cbc(), passphrase_text);
    check_refused(prepare(pem, longest + "p"), "longer than 1024 bytes", longest);
    const std::string newline = std::string(passphrase_text) + "\n";
    check_refused(prepare(pem, newline), "ends in a line break", newline);
}

TEST_CASE("private key: costly key derivation is refused before it starts") {
    const auto start = std::chrono::steady_clock::now();
    const auto refused = [](X509_ALGOR* algorithm, const char* why) {
        const std::string pem = claiming(algorithm);
        check_refused(prepare(pem, passphrase_text), why, pem);
    };
    const char* rounds = "2,000,000 rounds";
    refused(pbkdf2(3'000'000, NID_hmacWithSHA256), rounds);
    refused(pbkdf2(2'000'001, NID_hmacWithSHA1), rounds);
    refused(pbkdf2(2'147'483'647, NID_hmacWithSHA512), rounds);
    refused(pbes1(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 3'000'000), rounds);
    refused(pbes1(NID_pbeWithMD5AndDES_CBC, 3'000'000), rounds);
    const char* memory = "more than 32 MiB";
    refused(scrypt(65536, 8, 1), memory);
    refused(scrypt(16384, 8, 3), memory); // time, though not memory
    refused(scrypt(2, 1, 1U << 30U), memory);
    refused(scrypt(2, 1U << 30U, 1U << 30U), memory);
    refused(scrypt(1ULL << 63U, 1, 1), memory);
    refused(scrypt(1ULL << 32U, 1ULL << 32U, 1ULL << 32U), memory);
    refused(scrypt(0, 8, 1), "damaged");
    refused(scrypt(3, 8, 1), "damaged");
    refused(scrypt(2, 0, 1), "damaged");
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}

TEST_CASE("private key: what a derivation costs is told beforehand") {
    const auto cost = [](X509_ALGOR* algorithm) {
        return derivation_cost(SecretBytes(claiming(algorithm)));
    };
    CHECK(derivation_cost(SecretBytes(pkcs8_pem(rsa_key()))) == DerivationCost::none);
    CHECK(cost(pbkdf2(2'048, NID_hmacWithSHA256)) == DerivationCost::low);
    CHECK(cost(pbkdf2(250'000, NID_hmacWithSHA1)) == DerivationCost::low);
    CHECK(cost(pbkdf2(250'001, NID_hmacWithSHA256)) == DerivationCost::high);
    CHECK(cost(pbkdf2(60'000, NID_hmacWithSHA512)) == DerivationCost::low);
    CHECK(cost(pbkdf2(70'000, NID_hmacWithSHA512_224)) == DerivationCost::high);
    CHECK(cost(scrypt(16384, 8, 1)) == DerivationCost::low);
    CHECK(cost(scrypt(16384, 15, 1)) == DerivationCost::low);
    CHECK(cost(scrypt(32768, 7, 1)) == DerivationCost::low);
    // Refused at once.
    CHECK(cost(pbkdf2(3'000'000, NID_hmacWithSHA256)) == DerivationCost::low);
    CHECK(cost(scrypt(65536, 8, 1)) == DerivationCost::low);
}

TEST_CASE("private key: the costliest derivation that is allowed works") {
    const Key key = rsa_key();
    check_normal(
        prepare(encrypted_with(key, scrypt(16384, 15, 1), passphrase_text), passphrase_text), key);
    // At the limit of rounds nothing is refused for its cost; the passphrase is simply wrong.
    const std::string pem = claiming(pbkdf2(2'000'000, NID_hmacWithSHA256));
    check_refused(prepare(pem, passphrase_text), "can't be decrypted", pem);
}

TEST_CASE("private key: encryption that OpenSSL lacks is named as such") {
    for (const int nid :
         {NID_pbeWithMD5AndDES_CBC, NID_pbeWithSHA1AndRC2_CBC, NID_pbe_WithSHA1And40BitRC2_CBC,
          NID_pbe_WithSHA1And128BitRC4, NID_id_pbkdf2, NID_sha256}) {
        const std::string pem = claiming(pbes1(nid, 2048));
        check_refused(prepare(pem, passphrase_text), "not supported", pem);
    }
    const std::string cfb = claiming(pbkdf2(2048, NID_hmacWithSHA256, EVP_aes_256_cfb128()));
    check_refused(prepare(cfb, passphrase_text), "not supported", cfb);
    const std::string pem = pkcs1_pem(rsa_key(), EVP_aes_256_cbc(), passphrase_text);
    for (const char* cipher : {"DES-CBC", "AES-256-GCM", "NONE-SUCH", "AES-256-CTR"}) {
        const std::string other = replaced(pem, "AES-256-CBC", cipher);
        check_refused(prepare(other, passphrase_text), "not supported", other);
    }
    for (const char* broken : {"AES-256-CBC,XYZ", "AES-256-CBC", "AES-256-CBC;"}) {
        const std::string other =
            pem.substr(0, pem.find("AES-256-CBC")) + broken + pem.substr(pem.find("\n\n"));
        check_refused(prepare(other, passphrase_text), "", other);
    }
}

TEST_CASE("private key: sizes") {
    for (const int bits : {2048, 3072, 4096, 16384}) {
        const Key key = rsa_shaped_key(bits);
        check_normal(prepare(pkcs1_pem(key)), key);
    }
    for (const int bits : {1024, 2047, 16385, 16392}) {
        const std::string pem = pkcs1_pem(rsa_shaped_key(bits));
        const std::string why = std::to_string(bits) + " bits; 2048 to 16384 are accepted";
        check_refused(prepare(pem), why, pem);
    }
    const std::string large(max_private_key_bytes + 1, '\n');
    check_refused(prepare(large), "larger than 64 KiB", large);
    CHECK_FALSE(needs(large));
    check_refused(prepare(""), "is empty", "");
    CHECK_FALSE(needs(""));
}

TEST_CASE("private key: other things that are stored in its place") {
    const Key key = rsa_key();
    const std::string good = pkcs8_pem(key);
    const std::string bare = pkcs1_pem(key);
    const std::string certificate = certificate_pem(key);
    const std::string one_line = replaced(good, "\n", " ");
    const std::string inside = replaced(bare, "-----BEGIN RSA PRIVATE KEY-----\n", "");
    const std::string account =
        R"({"type": "service_account", "private_key": )" + quoted(good) + "}";
    const std::vector<std::pair<std::string, std::string>> table{
        {"elliptic-curve", pkcs8_pem(ec_key())},
        {"elliptic-curve", pkcs1_pem(ec_key())},
        {"elliptic-curve", pem_block("EC PARAMETERS", "xx") + pkcs1_pem(ec_key())},
        {"elliptic-curve", pem_block("EC PRIVATE KEY", "xx") + pkcs1_pem(ec_key())},
        {"Ed25519", pkcs8_pem(ed25519_key())},
        {"DSA", pkcs8_pem(dsa_key())},
        {"DSA", pkcs1_pem(dsa_key())},
        {"RSA-PSS", pkcs8_pem(rsa_pss_key())},
        {"public key", public_pem(key)},
        {"a certificate;", certificate},
        {"certificate request", pem_block("CERTIFICATE REQUEST", "xx")},
        {"OpenSSH", pem_block("OPENSSH PRIVATE KEY", "openssh-key-v1")},
        {"a kind not known", pem_block("MY OWN SECRET LABEL", "xx")},
        {"such as a certificate", good + certificate},
        {"such as a certificate", certificate + good},
        {"such as a certificate", good + pem_block("MY OWN SECRET LABEL", "xx")},
        {"more than one key", good + good},
        {"more than one key", good + bare + certificate},
        {"more than one key", pkcs1_pem(ec_key()) + good},
        {"backslash", replaced(good, "\n", "\\n")},
        {"lost its line breaks", one_line},
        {"line of its own", "\"" + good + "\""},
        {"encoded twice", base64::encode(good)},
        {"encoded twice", "  " + replaced(base64::encode(good), "A", "A\n")},
        {"base64 -d FILE | openssl pkey", base64::encode(der_of_pem(good))},
        {"base64 -d FILE | openssl pkey", base64::encode(der_of_pem(bare)) + "\n"},
        {"base64 -d FILE | openssl pkey", base64::encode(der_of_pem(bare)).substr(0, 1001)},
        {"base64 -d FILE | openssl pkey", inside.substr(0, inside.find('-'))},
        {"xxd -r -p FILE | openssl pkey", in_hex(der_of_pem(good))},
        {"looks like DER", der_of_pem(good)},
        {"PKCS#12", "\x30\x82\x0A\x01\x02\x01\x03" + std::string(99, '\x01')},
        {"a JWK (JSON Web Key)", R"({"kty": "RSA", "n": "AQAB", "d": "hunter2hunter2"})"},
        {"a set of JWKs", R"({"keys": [{"kty": "RSA", "d": "hunter2hunter2"}]})"},
        {"bigQueryServiceAccount", account},
        {"jq -r .MEMBER FILE", R"({"private": )" + quoted(good) + "}"},
        {"jq -r .MEMBER FILE", base64::encode(account)},
        {"iconv -f UTF-16 ", "\xFF\xFE" + in_utf16(good, Endian::little)},
        {"iconv -f UTF-16 ", "\xFE\xFF" + in_utf16(good, Endian::big)},
        {"iconv -f UTF-16LE", in_utf16(good, Endian::little)},
        {"iconv -f UTF-16BE", in_utf16(good, Endian::big)},
        {"byte order mark", "\xEF\xBB\xBF" + good},
        {"OpenSSH public key", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 me@example"},
        {"puttygen FILE", "PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: none\r\n"},
        {"the path of a file", "/etc/omni/hunter2hunter2"},
        {"the path of a file", "C:\\keys\\hunter2hunter2\n"},
        {"the path of a file", "hunter2hunter2.p8"},
        {"no line begins", "hunter2 hunter2"},
        {"no line begins", "0123456789 is no DER"},
        {"no line begins",
         "hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2hunter2"},
        {"no line begins", std::string(4000, '\0')},
    };
    for (const auto& [why, text] : table) {
        check_refused(prepare(text), why, text);
        check_refused(prepare(text, passphrase_text), why, text);
        CHECK_FALSE(needs(text));
    }
}

TEST_CASE("private key: damage is called damage") {
    const Key key = rsa_key();
    const std::string good = pkcs8_pem(key);
    const std::string der = der_of_pem(pkcs1_pem(key));
    const std::string begin = "-----BEGIN PRIVATE KEY-----\n";
    const std::string encrypted = pkcs8_pem(key, EVP_aes_256_cbc(), passphrase_text);
    const std::vector<std::pair<std::string, std::string>> table{
        {"cut off", good.substr(0, good.size() / 2)},
        {"cut off", begin},
        {"cut off", good.substr(0, good.size() - 60)},
        {"begins inside another", begin + good},
        {"first and last line", replaced(good, "END PRIVATE", "END RSA PRIVATE")},
        {"first and last line", replaced(good, "END PRIVATE KEY-----", "END PRIVATE KEY----")},
        {"not hold base64", replaced(good, "M", "*")},
        {"not hold base64", begin + "-----END PRIVATE KEY-----\n"},
        {"no empty line", begin + "Proc-Type: 4,ENCRYPTED\nAAAA\n-----END PRIVATE KEY-----\n"},
        {"not an RSA private key", pem_block("PRIVATE KEY", "some noise that is no DER")},
        {"not an RSA private key", pem_block("RSA PRIVATE KEY", "some noise that is no DER")},
        {"not an RSA private key", pem_block("RSA PRIVATE KEY", der.substr(0, der.size() - 1))},
        {"not an RSA private key", pem_block("RSA PRIVATE KEY", der_of_pem(encrypted))},
        {"not an RSA private key", pem_block("RSA PRIVATE KEY", der_of_pem(pkcs1_pem(ec_key())))},
        {"not an RSA private key", pem_block("PRIVATE KEY", der_of_pem(encrypted))},
        {"can't be read", pem_block("ENCRYPTED PRIVATE KEY", der)},
        {"can't be read", pem_block("ENCRYPTED PRIVATE KEY", "noise")},
        {"only PKCS#1", replaced(pkcs1_pem(key, EVP_aes_256_cbc(), "x"), "RSA PRIV", "PRIV")},
    };
    for (const auto& [why, text] : table)
        check_refused(prepare(text, passphrase_text), why, text);
}

TEST_CASE("private key: a changed byte anywhere is noticed") {
    const std::string der = der_of_pem(pkcs1_pem(rsa_key()));
    int accepted = 0;
    for (std::size_t i = 0; i < der.size(); i += 7) {
        std::string changed = der;
        changed[i] = static_cast<char>(changed[i] ^ 0x10);
        const std::string pem = pem_block("RSA PRIVATE KEY", changed);
        const auto result = prepare(pem);
        if (result.has_value())
            ++accepted;
        else
            CHECK_FALSE(shares_run(result.error().message, pem));
    }
    CHECK(accepted == 0);
}

TEST_CASE("private key: each prefix is refused") {
    const std::string pem = pkcs1_pem(rsa_key(), EVP_aes_256_cbc(), passphrase_text);
    const auto last_line = pem.rfind("-----END");
    const std::string end = pem.substr(last_line);
    for (std::size_t i = 0; i < last_line; i += 13) {
        check_refused(prepare(pem.substr(0, i), passphrase_text), "", pem);
        check_refused(prepare(pem.substr(0, i) + "\n" + end, passphrase_text), "", pem);
    }
}

TEST_CASE("private key: OpenSSL's error queue stays as it was") {
    const std::vector<std::string> refused{
        pem_block("PRIVATE KEY", "noise"),
        pem_block("RSA PRIVATE KEY", "noise"),
        pem_block("ENCRYPTED PRIVATE KEY", "noise"),
        pkcs8_pem(rsa_key(), EVP_aes_256_cbc(), "another passphrase"),
        pkcs1_pem(rsa_key(), EVP_aes_256_cbc(), "another passphrase"),
        claiming(pbes1(NID_pbeWithMD5AndDES_CBC, 1)),
    };
    for (const auto& pem : refused) {
        ERR_clear_error();
        REQUIRE(prepare(pem, passphrase_text).has_error());
        CHECK(ERR_peek_error() == 0);
        ERR_raise(ERR_LIB_USER, 17); // somebody else's
        REQUIRE(prepare(pem, passphrase_text).has_error());
        CHECK(ERR_GET_REASON(ERR_peek_last_error()) == 17);
    }
    ERR_clear_error();
}
