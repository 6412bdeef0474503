#include "reconcile/account/granted_request.hpp"

namespace oco::reconcile {
namespace {

work::RequestResult ending_of(const Error& error) {
    if (error.http_status == 0)
        return error.sent == Sent::no ? work::RequestResult::unsent
                                      : work::RequestResult::unanswered;
    if (error.kind == ErrorClass::rate_limited)
        return work::RequestResult::rate_limited;
    return error.kind == ErrorClass::unavailable ? work::RequestResult::failed
                                                 : work::RequestResult::answered;
}

} // namespace

void GrantedRequest::over(const std::optional<Error>& error) {
    over_ = true;
    services_.metrics.rate_limit_wait(instance_.str(), ops::Seconds(grant_.waited));
    if (error && error->kind == ErrorClass::rate_limited)
        services_.metrics.rate_limited(instance_.str());
    account_->scheduler.finish(grant_, error ? ending_of(*error) : work::RequestResult::answered,
                               error ? error->retry_after : std::nullopt);
}

} // namespace oco::reconcile
