// A request to Omni, from its slot in the budget to what became of it.
#pragma once

#include "base/error.hpp"
#include "kube/object.hpp"
#include "reconcile/world.hpp"
#include "work/gate.hpp"

#include <optional>

namespace oco::reconcile {

// To be made when the request is about to be sent. Unless over() is called, because a defect or the
// end of the process came between, the request is cut: no slot is lost for good.
class GrantedRequest {
  public:
    // Refers to the gate and to `instance`, whom the metrics name.
    GrantedRequest(Services& services, work::Gate& gate, const work::Grant& grant,
                   const kube::ObjectKey& instance)
        : services_(services), gate_(gate), grant_(grant), instance_(instance) {}

    GrantedRequest(const GrantedRequest&) = delete;
    GrantedRequest& operator=(const GrantedRequest&) = delete;

    ~GrantedRequest() {
        if (!over_)
            gate_.finish(grant_, work::Ending::cut);
    }

    // It was answered, or it failed: once.
    void over(const std::optional<Error>& error);

  private:
    Services& services_;
    work::Gate& gate_;
    const work::Grant grant_;
    const kube::ObjectKey& instance_;
    bool over_ = false;
};

} // namespace oco::reconcile
