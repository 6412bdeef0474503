// What a client presents and whom it trusts, kept up with the files that say so: tokens, CA bundles
// and client certificates are renewed while a process runs.
#pragma once

#include "kube/config/client_config.hpp"
#include "rt/runtime.hpp"

#include <functional>
#include <string>

namespace oco::kube {

using FileReader = std::function<Result<SecretBytes>(const std::string& path)>;

// PEM, as a TLS context takes it.
struct TlsFiles {
    std::string ca;
    std::string client_certificate;
    SecretBytes client_key;
};

class ClientAccess {
  public:
    // The error is the configuration's (a bad certificate).
    static Result<ClientAccess> make(ClientConfig config, FileReader read_file);

    enum class Files { when_due, now };
    enum class Changed { nothing, endpoint };

    // Reads the files again, once a minute or `now`. A file that is caught half-written, or whose
    // certificates are not valid together, changes nothing: the old ones serve on.
    Changed refresh(rt::TimePoint now, Files files);

    // Whether a refresh could find anything new.
    [[nodiscard]] bool renewable() const;

    [[nodiscard]] const rt::Endpoint& endpoint() const { return endpoint_; }

    [[nodiscard]] const SecretBytes& token() const { return config_.token; }

    [[nodiscard]] const ClientConfig& config() const { return config_; }

  private:
    ClientAccess(ClientConfig config, FileReader read_file, rt::Endpoint endpoint);

    void refresh_token();
    Changed refresh_endpoint();
    Changed reload();
    Changed trust(TlsFiles files);

    ClientConfig config_;
    FileReader read_file_;
    rt::Endpoint endpoint_;
    rt::TimePoint read_at_{};
};

} // namespace oco::kube
