#include "reconcile/cluster/caches.hpp"

namespace oco::reconcile {

NamespaceMeta NamespaceMeta::decode(const json::Value& object) {
    NamespaceMeta out{.meta = kube::decode_meta(object)};
    if (const auto* labels = json::find(object, {"metadata", "labels"});
        labels && labels->IsObject())
        for (const auto& label : labels->GetObject())
            out.labels.emplace(json::text_of(label.name), json::text_of(label.value));
    return out;
}

Allowance allowance(const Caches& caches, const api::OmniInstance& instance,
                    const std::string& ns) {
    if (ns == instance.meta.key.ns || instance.allowed_from == "All")
        return Allowance::yes;
    if (instance.allowed_from != "Selector")
        return Allowance::no;
    const auto known = caches.namespaces.get({.ns = "", .name = ns});
    if (known)
        return instance.allowed_selector.matches(known->labels) ? Allowance::yes : Allowance::no;
    const auto* watcher = caches.namespace_watcher;
    return watcher != nullptr && watcher->synced() ? Allowance::no : Allowance::unknown;
}

} // namespace oco::reconcile
