#include "truth.hpp"

#include "kube_rules.hpp"

#include <charconv>

namespace oco::sim {
namespace {

std::uint64_t version_of(const bj::object& object) {
    const std::string text = text_at(object, {"metadata", "resourceVersion"});
    std::uint64_t version = 0;
    std::from_chars(text.data(), text.data() + text.size(), version);
    return version;
}

Name name_of_object(const bj::object& object) {
    return {text_at(object, {"metadata", "namespace"}), text_at(object, {"metadata", "name"})};
}

} // namespace

Truth::Truth(test::SimRuntime& time, KubeModel& kube) : time_(time) {
    kube.on_written = [this](const std::string& plural, const bj::object& object) {
        written(plural, object);
        if (on_written)
            on_written(plural, object);
    };
    kube.on_removed = [this](const std::string& plural, const bj::object& object) {
        removed(plural, object);
    };
}

void Truth::written(const std::string& plural, const bj::object& object) {
    const Name name = name_of_object(object);
    const auto add = [&]<class T>(Histories<T>& all, T facts) {
        all[name].push_back({.number = version_of(object),
                             .written = time_.now(),
                             .value = std::make_shared<const T>(std::move(facts))});
    };
    if (plural == plurals::objects) {
        auto facts = object_facts(object);
        const auto* known = this->object(name);
        if (known == nullptr || known->uid != facts.uid || known->generation != facts.generation)
            add(objects, std::move(facts));
        auto status = status_facts(object);
        const auto* before = this->status(name);
        if (before == nullptr || *before != status)
            add(statuses, std::move(status));
    } else if (plural == plurals::instances) {
        auto facts = instance_facts(object);
        const auto* known = instance(name);
        if (known == nullptr || *known != facts)
            add(instances, std::move(facts));
    } else if (plural == plurals::namespaces) {
        add(namespaces, namespace_facts(object));
    } else if (plural == plurals::secrets) {
        add(secrets, secret_facts(object));
    }
}

void Truth::removed(const std::string& plural, const bj::object& object) {
    const Name name = name_of_object(object);
    const auto end = [&](auto& all) {
        all[name].push_back(
            {.number = version_of(object), .written = time_.now(), .value = nullptr});
    };
    if (plural == plurals::objects) {
        end(objects);
        end(statuses);
    } else if (plural == plurals::instances) {
        end(instances);
    } else if (plural == plurals::secrets) {
        end(secrets);
    }
}

} // namespace oco::sim
