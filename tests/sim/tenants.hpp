// The namespaces of the simulated world. Their labels change, and with them who may use the
// OmniInstances that select by label.
#pragma once

#include "kube_model.hpp"

#include <array>
#include <string>
#include <string_view>

namespace oco::sim {

inline constexpr std::array<std::string_view, 3> tenant_names{"team-a", "team-b", "team-c"};

class Tenants {
  public:
    explicit Tenants(KubeModel& kube) : kube_(kube) {
        write("operator", "operator");
        for (const auto name : tenant_names)
            restore_label(std::string(name));
    }

    // The label "team" says something that no OmniInstance selects; or the namespace's own name.
    void change_label(const std::string& ns) { write(ns, "elsewhere"); }

    void restore_label(const std::string& ns) { write(ns, ns); }

  private:
    void write(const std::string& ns, const std::string& team) {
        kube_.apply("namespaces", "", ns,
                    {{"metadata", bj::object{{"labels", bj::object{{"team", team}}}}}});
    }

    KubeModel& kube_;
};

} // namespace oco::sim
