#include "reconcile/granted_request.hpp"

namespace oco::reconcile {
namespace {

work::Ending ending_of(const Error& error) {
    if (error.http_status == 0)
        return error.sent == Sent::no ? work::Ending::unsent : work::Ending::none;
    if (error.kind == ErrorClass::rate_limited)
        return work::Ending::rate_limited;
    return error.kind == ErrorClass::unavailable ? work::Ending::failed : work::Ending::given;
}

} // namespace

void GrantedRequest::over(const std::optional<Error>& error) {
    over_ = true;
    services_.metrics.rate_limit_wait(instance_.str(), ops::Seconds(grant_.waited));
    if (error && error->kind == ErrorClass::rate_limited)
        services_.metrics.rate_limited(instance_.str());
    account_->gate.finish(grant_, error ? ending_of(*error) : work::Ending::given,
                          error ? error->retry_after : std::nullopt);
}

} // namespace oco::reconcile
