#include "net/tls.hpp"

#include <boost/asio/buffer.hpp>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

namespace oco::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};

// asio's add_certificate_authority stops silently at the first bad block and takes an empty
// bundle; a trust store must not shrink without a word.
Result<void> add_authorities(SSL_CTX* context, std::string_view pem) {
    if (pem.size() > max_ca_bytes)
        return make_error(
            ErrorClass::invalid,
            "the CA bundle is larger than 256 KiB: store only the CAs that are needed");
    const std::unique_ptr<BIO, FreeBio> bio(
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    int count = 0;
    ERR_clear_error();
    while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
        X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        ++count;
    }
    const unsigned long last = ERR_peek_last_error();
    const bool at_end = ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (!at_end)
        return make_error(ErrorClass::invalid, "certificate number " + std::to_string(count + 1) +
                                                   " of the CA bundle is damaged: store it again, "
                                                   "with all its lines");
    if (count == 0)
        return make_error(ErrorClass::invalid,
                          "the CA bundle holds no PEM certificate: store the CA's certificate as "
                          "PEM (openssl x509 -inform der -in FILE makes it from DER)");
    return {};
}

} // namespace

Result<std::shared_ptr<TlsContext>> make_tls_context(const TlsOptions& options) {
    auto context = std::make_shared<TlsContext>();
    context->verify = options.verify;
    context->ca_setting = options.ca_setting;
    context->host_setting = options.host_setting;
    SSL_CTX* native = context->ssl.native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    // A peer that chooses the group of a Diffie-Hellman exchange (up to 10,000 bits, prime or not)
    // would choose how long the event loop computes.
    SSL_CTX_set_cipher_list(native, "DEFAULT:!kDHE:!kDHEPSK");
    SSL_CTX_set_options(native, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION);
    // Read and write buffers are given back while a connection is idle.
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    error_code ec;
    if (options.verify == Verify::peer) {
        // Whatever is stored as an anchor is one: an intermediate CA, or the server's certificate.
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(native), X509_V_FLAG_PARTIAL_CHAIN);
        context->ssl.set_verify_mode(asio::ssl::verify_peer, ec);
        if (options.system_roots == TlsOptions::SystemRoots::yes)
            context->ssl.set_default_verify_paths(ec);
        if (!options.extra_ca_pem.empty())
            if (auto added = add_authorities(native, options.extra_ca_pem); !added)
                return added.error();
    }
    if (!options.client_certificate_pem.empty()) {
        context->ssl.use_certificate_chain(asio::buffer(options.client_certificate_pem), ec);
        if (ec)
            return make_error(ErrorClass::invalid, "the client certificate is not valid PEM");
        context->ssl.use_private_key(asio::buffer(options.client_key_pem.expose()),
                                     asio::ssl::context::pem, ec);
        if (ec)
            return make_error(ErrorClass::invalid,
                              "the client key is not a PEM private key of the certificate");
    }
    return context;
}

} // namespace oco::net
