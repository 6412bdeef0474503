#include "reconcile/cluster/crd_check.hpp"

#include "api/omni_connection.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace oco::reconcile {
namespace {

constexpr std::string_view openapi_path = "/openapi/v3/apis/omniconnection.io/v1alpha1";
constexpr std::size_t shown_fields = 5;
constexpr rt::Duration wait_pause = std::chrono::seconds(5);
constexpr int most_failures = 3;
constexpr rt::Duration follow_pause = std::chrono::minutes(10);

// `sample` is a status with all there is. Lists have one entry.
void compare(const json::Value& sample, const json::Value& schema, const std::string& path,
             std::vector<std::string>& missing) {
    if (json::bool_at(schema, "x-kubernetes-preserve-unknown-fields").value_or(false))
        return;
    if (sample.IsArray()) {
        if (const json::Value* items = json::find(schema, "items"); items && !sample.Empty())
            compare(sample[0], *items, path, missing);
        return;
    }
    if (!sample.IsObject())
        return;
    for (const auto& member : sample.GetObject()) {
        const std::string name(json::text_of(member.name));
        const std::string member_path = path + "." + name;
        if (const json::Value* known = json::find(schema, {"properties", name}))
            compare(member.value, *known, member_path, missing);
        else
            missing.push_back(member_path);
    }
}

template<class Object>
void check(const json::Value& openapi, std::string_view kind, const std::string& plural,
           InstalledCrds& out) {
    const json::Value* schema =
        json::find(openapi, {"components", "schemas", kind, "properties", "status"});
    if (schema == nullptr)
        return; // not published
    json::Writer writer;
    encode(writer, Object::complete_status());
    auto sample = json::parse(writer.view());
    compare(*sample, *schema, plural + " status", out.pruned);
    if (json::find(*schema, {"default", "observedGeneration"}) == nullptr)
        out.without_default.push_back(plural);
}

} // namespace

std::string InstalledCrds::trouble() const {
    const std::string advice = "; install those of this version: kubectl apply --server-side -f "
                               "crds/ (helm upgrade leaves CRDs as they are)";
    if (!pruned.empty())
        return "the CRDs are older than the operator, so that the API server would drop " +
               list_some(pruned, shown_fields) + ", and nothing is sent" + advice;
    if (!without_default.empty())
        return "the CRDs are older than the operator: they have no default for the status of " +
               list_some(without_default, shown_fields) +
               ", so that kubectl wait, Argo CD and Flux take new objects for ready" + advice;
    return {};
}

InstalledCrds read_crds(const json::Value& openapi) {
    InstalledCrds out;
    check<api::OmniInstance>(openapi, "io.omniconnection.v1alpha1.OmniInstance", "omniinstances",
                             out);
    check<api::OmniConnection>(openapi, "io.omniconnection.v1alpha1.OmniConnection",
                               "omniconnections", out);
    return out;
}

asio::awaitable<void> CrdCheck::wait() {
    for (int failures = 0; failures < most_failures;) {
        if (!co_await look())
            ++failures;
        else if (installed_.pruned.empty())
            co_return;
        co_await runtime_.sleep(wait_pause);
    }
}

asio::awaitable<void> CrdCheck::follow() {
    for (;;) {
        co_await runtime_.sleep(follow_pause);
        co_await look();
    }
}

asio::awaitable<bool> CrdCheck::look() {
    auto document = co_await client_.get(std::string(openapi_path));
    const int status = document ? 0 : document.error().http_status;
    if (!document && status != 403 && status != 404)
        co_return false;
    InstalledCrds found = document ? read_crds(*document) : InstalledCrds();
    if (found == installed_)
        co_return true;
    installed_ = std::move(found);
    if (const auto trouble = installed_.trouble(); !trouble.empty())
        log::warn("the CRDs do not fit", {{"error", trouble}});
    else
        log::info("the CRDs fit");
    co_return true;
}

} // namespace oco::reconcile
