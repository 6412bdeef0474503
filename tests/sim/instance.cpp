#include "instance.hpp"

#include "base/base64.hpp"

#include <algorithm>
#include <iterator>

namespace oco::sim {
namespace {

constexpr int limits[] = {8, 30, 60, 300};
// Between an instance and a Secret that is applied after it.
constexpr rt::Duration longest_wait_for_secret = std::chrono::seconds(10);

bj::object all_namespaces() {
    return {{"from", "All"}};
}

// The same, spelt out.
bj::object selected_namespaces() {
    return {{"from", "Selector"},
            {"selector",
             bj::object{{"matchExpressions",
                         bj::array{bj::object{{"key", "team"},
                                              {"operator", "In"},
                                              {"values", bj::array{"team-a", "team-b"}}}}}}}};
}

} // namespace

ManagedInstance::ManagedInstance(test::SimRuntime& time, KubeModel& kube, OmniModel& omni,
                                 std::uint64_t seed, int limit)
    : time_(time), kube_(kube), omni_(omni), dice_(seed, "instance"), limit_(limit) {
    restore_key();
    apply();
}

bool ManagedInstance::exists() const {
    return kube_.find("omniinstances", std::string(instance_namespace),
                      std::string(instance_name)) != nullptr;
}

void ManagedInstance::apply() {
    const std::string url = "http://" + std::string(omni_host); // TLS is not simulated
    kube_.apply(
        "omniinstances", std::string(instance_namespace), std::string(instance_name),
        {{"spec", bj::object{{"baseURL", other_form_ ? url + "/" : url},
                             {"apiTokenSecretRef", bj::object{{"name", secret_}, {"key", "token"}}},
                             {"rateLimit", bj::object{{"requestsPerMinute", limit_}}},
                             {"allowedNamespaces",
                              other_form_ ? selected_namespaces() : all_namespaces()}}}});
}

void ManagedInstance::remove() {
    if (kube_.remove("omniinstances", std::string(instance_namespace), std::string(instance_name)))
        ++counts.deleted;
}

void ManagedInstance::make(Anew how) {
    if (exists())
        return;
    ++counts.made_again;
    switch (how) {
    case Anew::nothing:
        break;
    case Anew::spec: {
        const auto* higher = std::ranges::upper_bound(limits, limit_);
        limit_ = higher == std::end(limits) ? limit_ : *higher;
        other_form_ = !other_form_;
        break;
    }
    case Anew::secret:
        name_another_secret();
        write_secret();
        break;
    case Anew::secret_first:
        restore_key();
        break;
    case Anew::secret_later:
        choose_key();
        name_another_secret();
        time_.after(dice_.duration(rt::Duration::zero(), longest_wait_for_secret),
                    [this] { write_secret(); });
        break;
    }
    apply();
}

void ManagedInstance::make_somehow() {
    constexpr Anew ways[] = {Anew::nothing, Anew::spec, Anew::secret, Anew::secret_first,
                             Anew::secret_later};
    make(dice_.pick(ways));
}

void ManagedInstance::revoke_key() {
    omni_.content().set_tokens({{.text = new_key("other")}});
}

void ManagedInstance::restore_key() {
    choose_key();
    write_secret();
}

void ManagedInstance::choose_key() {
    key_ = new_key("key");
    omni_.content().set_tokens({{.text = key_}});
}

void ManagedInstance::name_another_secret() {
    kube_.remove("secrets", std::string(instance_namespace), secret_);
    secret_ = "key-" + std::to_string(++made_);
}

void ManagedInstance::write_secret() {
    kube_.apply("secrets", std::string(instance_namespace), secret_,
                {{"type", "Opaque"}, {"data", bj::object{{"token", base64::encode(key_)}}}});
}

std::string ManagedInstance::new_key(std::string_view what) {
    return "confidential-" + std::string(what) + "-" + std::to_string(++made_) + "-" +
           std::to_string(dice_.bits());
}

} // namespace oco::sim
