// What is, and was, in Kubernetes: the truth that the oracles judge by.
#pragma once

#include "facts.hpp"
#include "history.hpp"
#include "kube_model.hpp"

#include <map>

namespace oco::sim {

namespace plurals {
inline constexpr const char* objects = "omniconnections";
inline constexpr const char* instances = "omniinstances";
inline constexpr const char* namespaces = "namespaces";
inline constexpr const char* secrets = "secrets";
} // namespace plurals

template<class T>
using Histories = std::map<Name, History<T>>;

// Empty: it never was.
template<class T>
const History<T>& history_of(const Histories<T>& all, const Name& name) {
    static const History<T> none;
    const auto known = all.find(name);
    return known == all.end() ? none : known->second;
}

class Truth {
  public:
    // Follows the API server from now on.
    Truth(test::SimRuntime& time, KubeModel& kube);
    Truth(const Truth&) = delete;
    Truth& operator=(const Truth&) = delete;
    ~Truth() = default;

    // Told of each write, after it counts here.
    std::function<void(const std::string& plural, const bj::object&)> on_written;

    // Objects have a version for each change beside the status, and statuses for each of the rest.
    Histories<ObjectFacts> objects;
    Histories<StatusFacts> statuses;
    Histories<InstanceFacts> instances;
    Histories<NamespaceFacts> namespaces; // by ("", name)
    Histories<SecretFacts> secrets;

    // As they are now; null: not there.
    [[nodiscard]] const ObjectFacts* object(const Name& name) const {
        return newest(history_of(objects, name));
    }

    [[nodiscard]] const StatusFacts* status(const Name& name) const {
        return newest(history_of(statuses, name));
    }

    [[nodiscard]] const InstanceFacts* instance(const Name& name) const {
        return newest(history_of(instances, name));
    }

    [[nodiscard]] const SecretFacts* secret(const Name& name) const {
        return newest(history_of(secrets, name));
    }

    [[nodiscard]] bool allows_namespace(const InstanceFacts& instance,
                                        const std::string& ns) const {
        return sim::allows_namespace(instance, ns, newest(history_of(namespaces, {"", ns})));
    }

  private:
    void written(const std::string& plural, const bj::object& object);
    void removed(const std::string& plural, const bj::object& object);

    test::SimRuntime& time_;
};

} // namespace oco::sim
