#include "net/certificate_fault.hpp"

#include "base/text.hpp"
#include "base/time.hpp"
#include "net/authority.hpp"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>

namespace oco::net {
namespace {

constexpr std::size_t max_host_bytes = 80;
constexpr std::size_t max_name_bytes = 48;
constexpr std::size_t max_setting_bytes = 80;
constexpr std::size_t max_names = 3;

struct FreeNames {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string_view bytes_of(const ASN1_STRING* text) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
            static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string address_text(std::string_view bytes) {
    namespace ip = boost::asio::ip;
    ip::address_v4::bytes_type v4;
    ip::address_v6::bytes_type v6;
    if (bytes.size() == v4.size()) {
        std::memcpy(v4.data(), bytes.data(), v4.size());
        return ip::address_v4(v4).to_string();
    }
    if (bytes.size() != v6.size())
        return {};
    std::memcpy(v6.data(), bytes.data(), v6.size());
    return ip::address_v6(v6).to_string();
}

// A DNS name or an address; empty: a name of another kind.
std::string host_in(const GENERAL_NAME& name) {
    if (name.type == GEN_DNS)
        return printable(bytes_of(name.d.dNSName), max_name_bytes);
    return name.type == GEN_IPADD ? address_text(bytes_of(name.d.iPAddress)) : std::string();
}

// The last one of this kind, which is the most specific.
std::string part_of(const X509_NAME* name, int nid) {
    std::string out;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;) {
        unsigned char* utf8 = nullptr;
        const int size =
            ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        if (size >= 0)
            out = printable({reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)},
                            max_name_bytes);
        OPENSSL_free(utf8);
    }
    return out;
}

// "\"Example CA\""
std::string short_name(const X509_NAME* name) {
    for (const int nid : {NID_commonName, NID_organizationalUnitName, NID_organizationName})
        if (const auto part = part_of(name, nid); !part.empty())
            return '"' + part + '"';
    return "without a name";
}

// "a.example, 10.0.0.1 and 3 more"; empty: it names no host, whatever its common name says.
std::string hosts_of(const X509* certificate) {
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::vector<std::string> hosts;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i)
        if (std::string host = host_in(*sk_GENERAL_NAME_value(names.get(), i)); !host.empty())
            hosts.push_back(std::move(host));
    return list_some(hosts, max_names);
}

std::string time_text(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return "a date that cannot be read";
    return format_rfc3339(std::chrono::system_clock::from_time_t(timegm(&parts)));
}

std::string mismatch(const X509* certificate, std::string_view host,
                     std::string_view host_setting) {
    const std::string hosts = hosts_of(certificate);
    return "it is for " + (hosts.empty() ? "no host at all" : hosts) + ", not for " +
           printable(host, max_host_bytes) + ": correct " +
           printable(host_setting, max_setting_bytes) +
           ", or give the server a certificate that names it";
}

// What `current` is in the chain of the server's certificate: itself, or a CA's.
std::string place(const X509* current, int depth) {
    return depth == 0 ? "it"
                      : "the certificate of its CA " + short_name(X509_get_subject_name(current));
}

} // namespace

bool require_host(X509_VERIFY_PARAM* parameters, const std::string& host) {
    // An empty name would take the check away.
    if (host.empty() || host.find('\0') != std::string::npos)
        return false;
    // As kubectl and browsers: a common name is no host.
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return (parse_address(host)
                ? X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str())
                : X509_VERIFY_PARAM_set1_host(parameters, host.data(), host.size())) == 1;
}

std::string certificate_fault(X509_STORE_CTX* verification, std::string_view host,
                              std::string_view ca_setting, std::string_view host_setting) {
    const int verdict = X509_STORE_CTX_get_error(verification);
    const int depth = X509_STORE_CTX_get_error_depth(verification);
    const X509* certificate = X509_STORE_CTX_get0_cert(verification);
    const X509* current = X509_STORE_CTX_get_current_cert(verification);
    if (current == nullptr)
        current = certificate;
    const std::string setting = printable(ca_setting, max_setting_bytes);
    switch (certificate == nullptr ? X509_V_ERR_UNSPECIFIED : verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return mismatch(certificate, host, host_setting);
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return place(current, depth) + " expired on " + time_text(X509_get0_notAfter(current)) +
               ": renew it on the server, or correct this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return place(current, depth) + " is not valid before " +
               time_text(X509_get0_notBefore(current)) +
               ": correct the clocks of this machine and of the issuer, or wait";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "it is self-signed: if it is the right one, add it to " + setting;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "it comes from the CA " + short_name(X509_get_subject_name(current)) +
               ", which is not trusted: if that is the right CA, add its certificate to " + setting;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "its issuer " + short_name(X509_get_issuer_name(current)) +
               " is unknown: add the certificate of its CA to " + setting +
               ", or have the server send its intermediate certificates too";
    default:
        return std::string(X509_verify_cert_error_string(verdict)) +
               ": give the server a certificate that is valid for it";
    }
}

} // namespace oco::net
