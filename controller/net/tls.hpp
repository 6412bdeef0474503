// TLS client contexts: trust anchors and client certificates, shared by the connections that use
// them.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace oco::net {

enum class Verify { peer, none };

// Of TlsOptions::extra_ca_pem; about a millisecond to read for each 10 KiB. As large as the bundles
// of all public CAs.
inline constexpr std::size_t max_ca_bytes = 256 * 1024;

struct TlsOptions {
    Verify verify = Verify::peer;
    // PEM, any number of certificates.
    std::string extra_ca_pem;
    // With it, OpenSSL's default directory of CAs counts too; without, only `extra_ca_pem`.
    enum class SystemRoots { yes, no } system_roots = SystemRoots::yes;
    // What names `extra_ca_pem`, for messages about a certificate that is not trusted.
    std::string ca_setting = "the CA bundle";
    // What names the host that the certificate must be for, likewise.
    std::string host_setting = "the host";
    std::string client_certificate_pem; // empty: none
    SecretBytes client_key_pem;
};

// TLS 1.2 or newer.
struct TlsContext {
    TlsContext() : ssl(boost::asio::ssl::context::tls_client) {}

    boost::asio::ssl::context ssl;
    Verify verify = Verify::peer;
    std::string ca_setting, host_setting; // as in TlsOptions
};

Result<std::shared_ptr<TlsContext>> make_tls_context(const TlsOptions& options);

} // namespace oco::net
