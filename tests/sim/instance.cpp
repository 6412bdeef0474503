#include "instance.hpp"

#include "base/base64.hpp"

namespace oco::sim {
namespace {

constexpr int limits[] = {8, 30, 60, 300};
// Between an instance and a Secret that is applied after it.
constexpr rt::Duration longest_wait_for_secret = std::chrono::seconds(10);

bj::array array_of(const std::set<std::string>& texts) {
    return bj::array(texts.begin(), texts.end());
}

bj::object allowed_namespaces(const ManagedInstance::Settings& settings) {
    using From = InstanceFacts::From;
    if (settings.allowed_from != From::selector)
        return {{"from", settings.allowed_from == From::all ? "All" : "Same"}};
    return {{"from", "Selector"},
            {"selector",
             bj::object{{"matchExpressions",
                         bj::array{bj::object{{"key", "team"},
                                              {"operator", "In"},
                                              {"values", array_of(settings.allowed_teams)}}}}}}};
}

} // namespace

ManagedInstance::ManagedInstance(test::SimRuntime& time, KubeModel& kube, Organizations& orgs,
                                 std::uint64_t seed, Name name, Settings wanted)
    : settings(std::move(wanted)), time_(time), kube_(kube), orgs_(orgs),
      dice_(seed, "instance " + shown(name)), name_(std::move(name)),
      secret_("key-of-" + name_.second) {
    write_secret();
    write();
}

bool ManagedInstance::exists() const {
    return kube_.find("omniinstances", name_.first, name_.second) != nullptr;
}

void ManagedInstance::write() {
    const std::string url = "http://" + org().host(); // TLS is not simulated
    bj::object spec{{"baseURL", other_form_ ? url + "/" : url},
                    {"apiTokenSecretRef", bj::object{{"name", secret_}, {"key", "token"}}},
                    {"rateLimit", bj::object{{"requestsPerMinute", settings.limit}}},
                    {"allowedNamespaces", allowed_namespaces(settings)}};
    if (settings.allowed_connections)
        spec["allowedConnections"] = array_of(*settings.allowed_connections);
    if (settings.suspended)
        spec["suspend"] = true;
    kube_.apply("omniinstances", name_.first, name_.second, {{"spec", std::move(spec)}});
}

void ManagedInstance::apply() {
    if (exists())
        write();
}

void ManagedInstance::remove() {
    if (kube_.remove("omniinstances", name_.first, name_.second))
        ++counts.deleted;
}

void ManagedInstance::make(Anew how) {
    if (exists())
        return;
    ++counts.made_again;
    switch (how) {
    case Anew::nothing:
        break;
    case Anew::spec:
        settings.limit = dice_.pick(limits);
        other_form_ = !other_form_;
        break;
    case Anew::secret:
        name_another_secret();
        write_secret();
        break;
    case Anew::secret_later:
        name_another_secret();
        time_.after(dice_.duration(rt::Duration::zero(), longest_wait_for_secret),
                    [this] { write_secret(); });
        break;
    }
    write();
}

void ManagedInstance::make_somehow() {
    constexpr Anew ways[] = {Anew::nothing, Anew::spec, Anew::secret, Anew::secret_later};
    make(dice_.pick(ways));
}

void ManagedInstance::name_another_secret() {
    kube_.remove("secrets", name_.first, secret_);
    secret_ = "key-" + std::to_string(++made_) + "-of-" + name_.second;
}

void ManagedInstance::write_secret() {
    kube_.apply("secrets", name_.first, secret_,
                {{"type", "Opaque"}, {"data", bj::object{{"token", base64::encode(key().text)}}}});
}

} // namespace oco::sim
