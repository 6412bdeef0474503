// OmniInstance (omniconnection.io/v1alpha1): one Omni organization and one API key.
// Source of the shapes: crds/omniinstances.yaml.
#pragma once

#include "kube/object.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace oco::api {

using kube::Condition;
using kube::ObjectKey;
using kube::ObjectMeta;

struct SecretKeyRef {
    std::string name;
    std::string key;

    bool operator==(const SecretKeyRef&) const = default;
};

// metav1.LabelSelector.
struct LabelRequirement {
    std::string key;
    std::string op; // In, NotIn, Exists, DoesNotExist
    std::vector<std::string> values;
};

struct LabelSelector {
    std::vector<LabelRequirement> requirements; // matchLabels become In with one value

    [[nodiscard]] bool matches(const std::map<std::string, std::string>& labels) const;
};

struct OmniInstance {
    ObjectMeta meta;

    std::string base_url;
    SecretKeyRef api_token;
    std::int64_t requests_per_minute = 60;
    std::string allowed_from = "Same"; // Same, All, Selector
    LabelSelector allowed_selector;
    std::optional<std::set<std::string>> allowed_connections;
    std::optional<SecretKeyRef> ca_bundle;
    bool suspend = false;

    struct Status {
        std::int64_t observed_generation = -1;
        std::vector<Condition> conditions;
        std::int64_t connections = 0;

        bool operator==(const Status&) const = default;
    } status;

    static OmniInstance decode(const json::Value& object);

    // With everything that one can say.
    static Status complete_status();
};

void encode(json::Writer& writer, const OmniInstance::Status& status);

} // namespace oco::api
