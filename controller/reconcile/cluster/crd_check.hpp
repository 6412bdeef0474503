// Whether the installed CRDs are as new as this operator. The API server drops what a CRD does not
// know (pruning), so a status written under an older one forgets, and the next process would send
// everything again. Helm does not upgrade CRDs, so this happens.
#pragma once

#include "kube/client.hpp"

#include <string>
#include <vector>

namespace oco::reconcile {

struct InstalledCrds {
    // "omniconnections status.applied.target": what a status has here and would lose there.
    std::vector<std::string> pruned;
    // "omniconnections": kinds whose objects have no status before they are first looked at, so
    // that others take them for ready.
    std::vector<std::string> without_default;

    bool operator==(const InstalledCrds&) const = default;

    // For people, with what to do; empty: nothing is wrong.
    [[nodiscard]] std::string trouble() const;
};

// By the OpenAPI v3 document of the group, as the API server publishes it. Pure.
InstalledCrds read_crds(const json::Value& openapi);

// The same, of the API server's CRDs.
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
class CrdCheck {
  public:
    CrdCheck(rt::Runtime& runtime, kube::Client& client) : runtime_(runtime), client_(client) {}

    // Until they drop nothing: under others a process sends nothing, since the next one would not
    // know. What can't be found out holds nothing up.
    asio::awaitable<void> wait();
    // Until cancelled: they may be replaced by older ones.
    asio::awaitable<void> follow();

    // As InstalledCrds has it.
    [[nodiscard]] std::string trouble() const { return installed_.trouble(); }

  private:
    // Whether the API server says what they are; one that does not publish it (403, 404) is taken
    // at its word.
    asio::awaitable<bool> look();

    rt::Runtime& runtime_;
    kube::Client& client_;
    InstalledCrds installed_;
};

} // namespace oco::reconcile
