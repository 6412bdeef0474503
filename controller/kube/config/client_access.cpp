#include "kube/config/client_access.hpp"

#include "base/text.hpp"
#include "kube/config/config_files.hpp"

#include <utility>

namespace oco::kube {
namespace {

// Kubelets renew a bound token at 80 % of its life, of at least ten minutes.
constexpr rt::Duration reread_interval = std::chrono::minutes(1);

Result<rt::Endpoint> endpoint_of(const ClientConfig& config, const TlsFiles& files) {
    rt::Endpoint endpoint{
        .host = config.server.host, .port = config.server.port, .proxy = config.proxy};
    if (config.server.scheme == net::Scheme::http)
        return endpoint;
    const net::TlsOptions options{
        .verify = config.verify == Verify::none ? net::Verify::none : net::Verify::peer,
        .extra_ca_pem = files.ca,
        .system_roots =
            files.ca.empty() ? net::TlsOptions::SystemRoots::yes : net::TlsOptions::SystemRoots::no,
        .ca_setting =
            config.ca_file.empty() ? "the kubeconfig's certificate-authority-data" : config.ca_file,
        .host_setting = config.tls_server_name.empty() ? "the API server's address"
                                                       : "the kubeconfig's tls-server-name",
        .client_certificate_pem = files.client_certificate,
        .client_key_pem = files.client_key.clone()};
    auto tls = net::make_tls_context(options);
    if (!tls)
        return make_error(tls.error().kind, config.source + ": " + tls.error().message);
    endpoint.tls = *tls;
    endpoint.tls_server_name = config.tls_server_name;
    return endpoint;
}

TlsFiles files_of(const ClientConfig& config) {
    return {.ca = config.ca_pem,
            .client_certificate = config.client_certificate_pem,
            .client_key = config.client_key_pem.clone()};
}

} // namespace

Result<ClientAccess> ClientAccess::make(ClientConfig config, FileReader read_file) {
    auto endpoint = endpoint_of(config, files_of(config));
    if (!endpoint)
        return endpoint.error();
    return ClientAccess(std::move(config), std::move(read_file), std::move(*endpoint));
}

ClientAccess::ClientAccess(ClientConfig config, FileReader read_file, rt::Endpoint endpoint)
    : config_(std::move(config)), read_file_(std::move(read_file)), endpoint_(std::move(endpoint)) {
}

bool ClientAccess::renewable() const {
    return config_.reload || !config_.token_file.empty() || !config_.ca_file.empty() ||
           !config_.client_certificate_file.empty() || !config_.client_key_file.empty();
}

ClientAccess::Changed ClientAccess::refresh(rt::TimePoint now, Files files) {
    const bool due = read_at_ == rt::TimePoint{} || now - read_at_ >= reread_interval;
    if (!renewable() || (files == Files::when_due && !due))
        return Changed::nothing;
    read_at_ = now;
    if (config_.reload)
        return reload();
    refresh_token();
    return refresh_endpoint();
}

void ClientAccess::refresh_token() {
    if (config_.token_file.empty())
        return;
    if (auto token = read_file_(config_.token_file);
        token && is_bearer_token(trim(token->expose())))
        config_.token = SecretBytes(trim(token->expose()));
}

ClientAccess::Changed ClientAccess::refresh_endpoint() {
    TlsFiles files = files_of(config_);
    bool differs = false;
    const auto reread = [&](const std::string& path, auto& bytes, std::string_view before) {
        if (path.empty())
            return;
        // An empty bundle would mean the system's roots, and no file is no reason to trust others.
        auto read = read_file_(path);
        if (!read || read->empty() || read->size() > max_config_file_bytes ||
            read->expose() == before)
            return;
        bytes = std::remove_reference_t<decltype(bytes)>(read->expose());
        differs = true;
    };
    reread(config_.ca_file, files.ca, config_.ca_pem);
    reread(config_.client_certificate_file, files.client_certificate,
           config_.client_certificate_pem);
    reread(config_.client_key_file, files.client_key, config_.client_key_pem.expose());
    return differs ? trust(std::move(files)) : Changed::nothing;
}

// A kubeconfig with all that it names. The server that it named at the start stays.
ClientAccess::Changed ClientAccess::reload() {
    auto now = config_.reload();
    if (!now || now->server.host != config_.server.host || now->server.port != config_.server.port)
        return Changed::nothing;
    config_.token = std::move(now->token);
    config_.token_file = std::move(now->token_file);
    TlsFiles files = files_of(*now);
    const bool same = files.ca == config_.ca_pem &&
                      files.client_certificate == config_.client_certificate_pem &&
                      files.client_key.expose() == config_.client_key_pem.expose();
    return same ? Changed::nothing : trust(std::move(files));
}

ClientAccess::Changed ClientAccess::trust(TlsFiles files) {
    auto endpoint = endpoint_of(config_, files);
    if (!endpoint)
        return Changed::nothing;
    endpoint_ = std::move(*endpoint);
    config_.ca_pem = std::move(files.ca);
    config_.client_certificate_pem = std::move(files.client_certificate);
    config_.client_key_pem = std::move(files.client_key);
    return Changed::endpoint;
}

} // namespace oco::kube
