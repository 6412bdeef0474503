#include "kube/config/config_files.hpp"

#include "base/base64.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <filesystem>

namespace oco::kube {
namespace {

constexpr std::size_t max_path_shown = 200;

} // namespace

ConfigFiles::ConfigFiles(const Environment& environment, std::string where,
                         std::string_view kubeconfig)
    : environment_(environment), where_(std::move(where)),
      folder_(std::filesystem::path(kubeconfig).parent_path().string()) {}

Error ConfigFiles::error(std::string_view what) const {
    return make_error(ErrorClass::invalid, where_ + ": " + std::string(what));
}

std::string ConfigFiles::absolute(const std::string& path) const {
    return (std::filesystem::path(folder_) / path).lexically_normal().string();
}

Result<SecretBytes> ConfigFiles::read(std::string_view name, const std::string& path) const {
    const std::string file = absolute(path);
    const std::string what = std::string(name) + ": " + printable(file, max_path_shown);
    auto bytes = environment_.read_file(file);
    if (!bytes && bytes.error().kind == ErrorClass::not_found)
        return error(what + ": there is no such file");
    if (!bytes)
        return error(what + ": cannot be read: " + printable(bytes.error().message, 100));
    if (bytes->size() > max_config_file_bytes)
        return error(what + ": is larger than 4 MiB: name the right file");
    return bytes;
}

Result<SecretBytes> ConfigFiles::read_token(std::string_view name, const std::string& path) const {
    const auto bytes = read(name, path);
    if (!bytes)
        return bytes.error();
    const std::string_view token = trim(bytes->expose());
    const std::string what = std::string(name) + ": " + printable(absolute(path), max_path_shown);
    if (token.empty())
        return error(what + ": is empty: it must hold a bearer token");
    if (!is_bearer_token(token))
        return error(what + ": holds characters that no bearer token has: name the right file");
    return SecretBytes(token);
}

Result<SecretBytes> ConfigFiles::data_or_file(const std::string& name, std::string_view data,
                                              const std::string& path) const {
    if (!data.empty()) {
        auto bytes = base64::decode(data);
        if (!bytes)
            return error(name + "-data is not base64: encode the PEM file with `base64 -w0`");
        return bytes;
    }
    if (!path.empty())
        return read(name, path);
    return SecretBytes();
}

Result<void> ConfigFiles::check_certificate(std::string_view name, std::string_view pem) const {
    if (pem.find("-----BEGIN CERTIFICATE-----") == std::string_view::npos)
        return error(std::string(name) + " holds no PEM certificate (BEGIN CERTIFICATE)");
    return {};
}

Result<void> ConfigFiles::check_key(std::string_view name, std::string_view pem) const {
    if (pem.find("PRIVATE KEY-----") == std::string_view::npos)
        return error(std::string(name) + " holds no PEM private key (BEGIN ... PRIVATE KEY)");
    if (pem.find("BEGIN ENCRYPTED PRIVATE KEY") != std::string_view::npos ||
        pem.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos)
        return error(std::string(name) +
                     " is encrypted, which is not supported: decrypt it with `openssl pkey`");
    return {};
}

bool is_bearer_token(std::string_view token) {
    return !token.empty() &&
           std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7F; });
}

} // namespace oco::kube
