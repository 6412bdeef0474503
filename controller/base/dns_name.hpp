// Names as Kubernetes has them (RFC 1123): of namespaces, and of most other objects.
#pragma once

#include <string_view>

namespace oco {

// 1 to 63 lower-case letters, digits and '-', which is neither the first nor the last: a namespace.
bool is_dns_label(std::string_view name);

// Such labels (of any length) with '.' between them, 1 to 253 bytes: a Lease, a Secret.
bool is_dns_subdomain(std::string_view name);

} // namespace oco
