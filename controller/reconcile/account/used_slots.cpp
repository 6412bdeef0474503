#include "reconcile/account/used_slots.hpp"

#include "work/rate_budget.hpp"

#include <algorithm>
#include <set>

namespace oco::reconcile {
namespace {

// Times in a status are cut to whole seconds.
constexpr rt::Duration cut_off = std::chrono::seconds(1);

} // namespace

std::vector<rt::TimePoint> used_slots(const api::OmniConnection::Status& status,
                                      const rt::Runtime& runtime) {
    std::set<std::string> texts{status.last_push_time};
    const auto& applied = status.applied;
    if (applied.credential)
        texts.insert(applied.credential->pushed_at);
    if (applied.base_role)
        texts.insert(applied.base_role->pushed_at);
    if (applied.environment_user_attribute)
        texts.insert(applied.environment_user_attribute->pushed_at);
    std::vector<rt::TimePoint> out;
    for (const auto& text : texts)
        if (const auto pushed = parse_rfc3339(text)) {
            const rt::Duration ago = std::max<rt::Duration>(runtime.wall_now() - *pushed - cut_off,
                                                            rt::Duration::zero());
            if (ago < work::RateBudget::window)
                out.push_back(runtime.now() - ago + work::RateBudget::window);
        }
    if (!status.unanswered.empty())
        out.push_back(runtime.now() + work::RateBudget::unanswered_window);
    return out;
}

} // namespace oco::reconcile
