// Certificates that OpenSSL refuses, and what is said of each.
#include "base/text.hpp"
#include "net/certificate_fault.hpp"
#include "net/tls.hpp"
#include "unit/omni/test_keys.hpp"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <string>
#include <vector>

using namespace oco;
using namespace oco::test;

namespace {

constexpr long day = 24L * 3600;

using Certificate = std::shared_ptr<X509>;

struct Wanted {
    std::string subject = "server";
    std::string names = "DNS:a.example"; // subjectAltName; empty: none
    Certificate issuer = nullptr;        // null: itself
    bool is_ca = false;
    long from = -day;
    long until = day;
};

void extend(X509* certificate, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    REQUIRE(extension != nullptr);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

// Signed with the one key that all of them have.
Certificate made(const Wanted& wanted) {
    Certificate out(X509_new(), X509_free);
    X509_set_version(out.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), wanted.from);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), wanted.until);
    X509_NAME* subject = X509_get_subject_name(out.get());
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>("Example Org"), -1, -1, 0);
    if (!wanted.subject.empty())
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(wanted.subject.c_str()),
                                   -1, -1, 0);
    X509_set_issuer_name(out.get(),
                         wanted.issuer ? X509_get_subject_name(wanted.issuer.get()) : subject);
    X509_set_pubkey(out.get(), rsa_key().get());
    extend(out.get(), NID_basic_constraints, wanted.is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (!wanted.names.empty())
        extend(out.get(), NID_subject_alt_name, wanted.names);
    X509_sign(out.get(), rsa_key().get(), EVP_sha256());
    return out;
}

std::string pem_of(X509* certificate) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_X509(out.get(), certificate);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

struct Verdict {
    bool trusted = false;
    int error = X509_V_OK;
    std::string fault;
};

// What TLS does with the chain that a server sends, `leaf` first.
Verdict verify(const std::vector<Certificate>& chain, const std::vector<Certificate>& trusted,
               const std::string& host) {
    std::string anchors;
    for (const auto& anchor : trusted)
        anchors += pem_of(anchor.get());
    const auto tls = net::make_tls_context(
        {.extra_ca_pem = anchors, .system_roots = net::TlsOptions::SystemRoots::no});
    REQUIRE(tls.has_value());
    SSL_CTX* native = (*tls)->ssl.native_handle();
    STACK_OF(X509)* sent = sk_X509_new_null();
    for (const auto& certificate : chain)
        sk_X509_push(sent, certificate.get());
    const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(
        X509_STORE_CTX_new(), X509_STORE_CTX_free);
    X509_STORE_CTX_init(context.get(), SSL_CTX_get_cert_store(native), chain.front().get(), sent);
    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(context.get()), SSL_CTX_get0_param(native));
    REQUIRE(net::require_host(X509_STORE_CTX_get0_param(context.get()), host));
    Verdict out;
    out.trusted = X509_verify_cert(context.get()) == 1;
    out.error = X509_STORE_CTX_get_error(context.get());
    if (!out.trusted) {
        out.fault =
            net::certificate_fault(context.get(), host, "spec.caBundleSecretRef", "spec.baseURL");
        CHECK(out.fault.size() <= 400);
        CHECK(printable(out.fault) == out.fault);
    }
    sk_X509_free(sent);
    return out;
}

std::string fault_for(const std::string& names, const std::string& host,
                      const std::string& subject = "server") {
    const auto own = made({.subject = subject, .names = names});
    return verify({own}, {own}, host).fault;
}

bool begins(const std::string& text, const std::string& beginning) {
    return text.starts_with(beginning);
}

} // namespace

TEST_CASE("certificate fault: a host that the certificate names is accepted") {
    const auto own = made({.names = "DNS:a.example,DNS:*.b.example,IP:127.0.0.1,IP:::1"});
    for (const char* host : {"a.example", "A.EXAMPLE", "x.b.example", "127.0.0.1", "::1"}) {
        CAPTURE(host);
        CHECK(verify({own}, {own}, host).trusted);
    }
}

TEST_CASE("certificate fault: a common name is no host") {
    const auto by_subject = made({.subject = "old.example", .names = ""});
    const auto verdict = verify({by_subject}, {by_subject}, "old.example");
    CHECK_FALSE(verdict.trusted);
    CHECK(begins(verdict.fault, "it is for no host at all, not for old.example"));
}

TEST_CASE("certificate fault: whatever is stored as an anchor is one") {
    const auto root = made({.subject = "Example Root", .names = "", .is_ca = true});
    const auto middle =
        made({.subject = "Example Middle", .names = "", .issuer = root, .is_ca = true});
    const auto leaf = made({.issuer = middle});
    CHECK(verify({leaf, middle}, {root}, "a.example").trusted);
    CHECK(verify({leaf}, {middle}, "a.example").trusted);
    CHECK(verify({leaf}, {leaf}, "a.example").trusted);
    CHECK_FALSE(verify({leaf}, {root}, "a.example").trusted);
}

TEST_CASE("certificate fault: another host") {
    const auto own = made({.names = "DNS:a.example,DNS:*.b.example,IP:127.0.0.1,IP:::1"});
    const std::string way_out =
        ": correct spec.baseURL, or give the server a certificate that names it";
    for (const char* host :
         {"c.example", "b.example", "x.y.b.example", "xa.example", "127.0.0.2", "::2"}) {
        CAPTURE(host);
        const auto verdict = verify({own}, {own}, host);
        CHECK_FALSE(verdict.trusted);
        CHECK((verdict.error == X509_V_ERR_HOSTNAME_MISMATCH ||
               verdict.error == X509_V_ERR_IP_ADDRESS_MISMATCH));
        CHECK(verdict.fault == "it is for a.example, *.b.example, 127.0.0.1 and 1 more, not for " +
                                   std::string(host) + way_out);
    }
    CHECK(fault_for("DNS:a.example", "b.example") ==
          "it is for a.example, not for b.example" + way_out);
    CHECK(begins(fault_for("", "b.example", ""), "it is for no host at all, not for"));
    // An address is no name, and a name in the subject is none beside others.
    CHECK(begins(fault_for("DNS:127.0.0.1", "127.0.0.1"), "it is for 127.0.0.1, not for"));
    CHECK(begins(fault_for("DNS:a.example", "server"), "it is for a.example, not for server"));
    CHECK(begins(fault_for("email:x@a.example", "b.example"), "it is for no host at all, not for"));
}

TEST_CASE("certificate fault: what the certificate says is bounded and cleaned") {
    std::string many = "DNS:" + std::string(63, 'n') + ".example";
    for (int i = 0; i < 500; ++i)
        many += ",DNS:" + std::string(63, 'n') + std::to_string(i) + ".example";
    CHECK(fault_for(many, std::string(63, 'h') + ".example").find(" and 498 more, not for hhh") !=
          std::string::npos);
    const auto hostile = made({.subject = "evil\x1B[2J\nnew line", .names = "", .is_ca = true});
    CHECK(begins(verify({made({.issuer = hostile})}, {}, "a.example").fault,
                 "its issuer \"evil [2J new line\" is unknown"));
}

TEST_CASE("certificate fault: times") {
    const auto expired = made({.from = -3 * day, .until = -2 * day});
    auto verdict = verify({expired}, {expired}, "a.example");
    CHECK(verdict.error == X509_V_ERR_CERT_HAS_EXPIRED);
    CHECK(begins(verdict.fault, "it expired on 20"));
    CHECK(verdict.fault.ends_with("Z: renew it on the server, or correct this machine's clock"));
    const auto early = made({.from = 2 * day, .until = 3 * day});
    verdict = verify({early}, {early}, "a.example");
    CHECK(verdict.error == X509_V_ERR_CERT_NOT_YET_VALID);
    CHECK(begins(verdict.fault, "it is not valid before 20"));
    CHECK(verdict.fault.ends_with(
        "Z: correct the clocks of this machine and of the issuer, or wait"));
    const auto root = made(
        {.subject = "Example Root", .names = "", .is_ca = true, .from = -9 * day, .until = -day});
    const auto leaf = made({.issuer = root});
    verdict = verify({leaf}, {root}, "a.example");
    CHECK(begins(verdict.fault, "the certificate of its CA \"Example Root\" expired on 20"));
}

TEST_CASE("certificate fault: nobody known vouches for it") {
    const auto root = made({.subject = "Example Root", .names = "", .is_ca = true});
    const auto middle =
        made({.subject = "Example Middle", .names = "", .issuer = root, .is_ca = true});
    const auto leaf = made({.issuer = middle});
    const auto own = made({});
    CHECK(verify({leaf, middle}, {root}, "a.example").trusted);
    CHECK(verify({own}, {root}, "a.example").fault ==
          "it is self-signed: if it is the right one, add it to spec.caBundleSecretRef");
    CHECK(verify({leaf, middle, root}, {}, "a.example").fault ==
          "it comes from the CA \"Example Root\", which is not trusted: if that is the right CA, "
          "add its certificate to spec.caBundleSecretRef");
    const std::string unknown = " is unknown: add the certificate of its CA to "
                                "spec.caBundleSecretRef, or have the server send its intermediate "
                                "certificates too";
    CHECK(verify({leaf}, {root}, "a.example").fault == "its issuer \"Example Middle\"" + unknown);
    CHECK(verify({leaf, middle}, {}, "a.example").fault == "its issuer \"Example Root\"" + unknown);
    const auto nameless = made({.subject = "", .names = "", .is_ca = true});
    CHECK(begins(verify({made({.issuer = nameless})}, {}, "a.example").fault,
                 "its issuer \"Example Org\""));
}

TEST_CASE("certificate fault: other verdicts keep OpenSSL's words") {
    const auto no_ca = made({.subject = "No CA", .names = ""});
    const auto leaf = made({.issuer = no_ca});
    const auto verdict = verify({leaf}, {no_ca}, "a.example");
    CHECK(verdict.error == X509_V_ERR_INVALID_CA);
    CHECK(begins(verdict.fault, X509_verify_cert_error_string(verdict.error)));
}

TEST_CASE("certificate fault: a host that cannot be checked is no host") {
    const std::unique_ptr<X509_VERIFY_PARAM, decltype(&X509_VERIFY_PARAM_free)> parameters(
        X509_VERIFY_PARAM_new(), X509_VERIFY_PARAM_free);
    CHECK_FALSE(net::require_host(parameters.get(), ""));
    CHECK_FALSE(net::require_host(parameters.get(), std::string("a\0b", 3)));
    CHECK(net::require_host(parameters.get(), "a.example"));
}
