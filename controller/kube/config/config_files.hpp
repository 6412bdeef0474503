// Reads what a client configuration refers to: tokens, certificates and keys.
#pragma once

#include "kube/config/client_config.hpp"

#include <string>
#include <string_view>

namespace oco::kube {

// Its messages say who refers to the file, and never what is in it.
class ConfigFiles {
  public:
    // `where` ("kubeconfig /x: user \"bob\"") starts each message. Relative paths start at the
    // folder of `kubeconfig`. `environment` must outlive this.
    ConfigFiles(const Environment& environment, std::string where, std::string_view kubeconfig);

    // In all of these, `name` is the member that names the file, or what the file is for.
    [[nodiscard]] Result<SecretBytes> read(std::string_view name, const std::string& path) const;
    // White space around the token is cut off; what is left can stand in a header line.
    [[nodiscard]] Result<SecretBytes> read_token(std::string_view name,
                                                 const std::string& path) const;
    // Decodes `data`, the member `name` + "-data", if there is any; else reads the file; else gives
    // nothing. (That data wins is documented of the members; client-go refuses to have both.)
    [[nodiscard]] Result<SecretBytes> data_or_file(const std::string& name, std::string_view data,
                                                   const std::string& path) const;

    // Whether there is a PEM block of that kind at all, for an early and clear error. TLS does the
    // real parsing, when it connects.
    [[nodiscard]] Result<void> check_certificate(std::string_view name, std::string_view pem) const;
    [[nodiscard]] Result<void> check_key(std::string_view name, std::string_view pem) const;

    [[nodiscard]] std::string absolute(const std::string& path) const;
    [[nodiscard]] Error error(std::string_view what) const;

  private:
    const Environment& environment_;
    std::string where_;
    std::string folder_;
};

// Only visible ASCII can be sent in an Authorization header.
bool is_bearer_token(std::string_view token);

} // namespace oco::kube
