// A request to Omni, from its slot in the budget to its result.
#pragma once

#include "base/error.hpp"
#include "kube/object.hpp"
#include "reconcile/account/account_client.hpp"
#include "reconcile/cluster/caches.hpp"

#include <memory>
#include <optional>
#include <utility>

namespace oco::reconcile {

// Create it when the request is about to be sent. If over() is never called, because of an
// exception or shutdown, the request counts as cut off: no slot is lost for good.
class GrantedRequest {
  public:
    // `account` gave the grant; the metrics name `instance`.
    GrantedRequest(Services& services, std::shared_ptr<Account> account, work::Grant grant,
                   kube::ObjectKey instance)
        : services_(services), account_(std::move(account)), grant_(std::move(grant)),
          instance_(std::move(instance)) {}

    GrantedRequest(const GrantedRequest&) = delete;
    GrantedRequest& operator=(const GrantedRequest&) = delete;

    ~GrantedRequest() {
        if (!over_)
            account_->scheduler.finish(grant_, work::RequestResult::abandoned);
    }

    // Call once, when the response has arrived or the request has failed.
    void over(const std::optional<Error>& error);

  private:
    Services& services_;
    const std::shared_ptr<Account> account_;
    const work::Grant grant_;
    const kube::ObjectKey instance_;
    bool over_ = false;
};

} // namespace oco::reconcile
