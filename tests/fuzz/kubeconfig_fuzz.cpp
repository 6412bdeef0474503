// Any text as a kubeconfig, and as every file that it names. Besides what the sanitizers find: a
// refusal is one printable line of class `invalid`, and what is accepted can be sent.
#include "base/text.hpp"
#include "check.hpp"
#include "kube/config/client_config.hpp"

#include <algorithm>

namespace {

using namespace oco;
using fuzz::require;

bool is_visible(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

void check(const Result<kube::ClientConfig>& config) {
    if (!config) {
        require(config.error().kind == ErrorClass::invalid);
        require(!config.error().message.empty());
        require(printable(config.error().message, 1 << 16) == config.error().message);
        return;
    }
    require(!config->server.host.empty() && is_visible(config->server.host));
    require(config->server.port != 0);
    require(is_visible(config->server.path_prefix));
    require(is_visible(config->token.expose()));
    require(is_visible(config->default_namespace));
    require(config->client_certificate_pem.empty() == config->client_key_pem.empty());
    require(config->server.scheme == net::Scheme::https || config->token.empty());
    require(config->verify == kube::Verify::peer || config->ca_pem.empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(fuzz::text_of(data, size));
    const kube::Environment environment{
        .variable = [](const std::string&) { return std::optional<std::string>(); },
        .read_file =
            [&](const std::string&) {
                return Result<SecretBytes>(SecretBytes(text));
            }};
    check(kube::load_client_config({.kubeconfig = "/k/config", .context = ""}, environment));
    check(kube::load_client_config({.kubeconfig = "/k/config", .context = "prod"}, environment));
    return 0;
}
