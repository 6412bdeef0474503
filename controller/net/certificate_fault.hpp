// Whom a server's certificate has to be for, and what to say of one that OpenSSL has refused. The
// verdict is OpenSSL's alone; nothing here changes it.
#pragma once

#include <openssl/x509_vfy.h>

#include <string>
#include <string_view>

namespace oco::net {

// Has OpenSSL check that the certificate is for `host`: a DNS name, or an address without brackets.
// False: it would not be checked, so that no handshake may begin.
[[nodiscard]] bool require_host(X509_VERIFY_PARAM* parameters, const std::string& host);

// For a verify callback that is given `false`: what is wrong with the certificate, then what to do,
// as a clause about it ("it expired on ...: renew it on the server, ..."). At most 400 bytes, and
// printable, though the names in it are the server's. `ca_setting` is what names the trusted CAs,
// `host_setting` what names the host.
std::string certificate_fault(X509_STORE_CTX* verification, std::string_view host,
                              std::string_view ca_setting, std::string_view host_setting);

} // namespace oco::net
