// Base64 (RFC 4648, with padding) as Kubernetes uses it in Secrets and kubeconfigs.
#pragma once

#include "base/result.hpp"
#include "base/secret_bytes.hpp"

#include <string>

namespace oco::base64 {

// White space inside the text is skipped; anything else outside the alphabet is an error.
Result<SecretBytes> decode(std::string_view text);
std::string encode(std::string_view bytes);

} // namespace oco::base64
