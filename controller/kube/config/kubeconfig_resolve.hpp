// From a kubeconfig and the name of a context to a ClientConfig.
#pragma once

#include "kube/config/client_config.hpp"
#include "kube/config/kubeconfig.hpp"

#include <string>

namespace oco::kube {

// `files` are those that `kubeconfig` was merged from, for messages; `context` is --context, or ""
// for the current-context. Only the entries that the context uses are looked into.
Result<ClientConfig> resolve_kubeconfig(const Kubeconfig& kubeconfig, const std::string& files,
                                        const std::string& context, const Environment& environment);

} // namespace oco::kube
