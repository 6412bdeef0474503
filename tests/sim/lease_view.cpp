#include "lease_view.hpp"

#include "kube_rules.hpp"

namespace oco::sim {
namespace {

constexpr rt::Duration heard_within = std::chrono::seconds(5);

} // namespace

LeaseView::Change LeaseView::written(const bj::object& lease) {
    // "address_random"
    std::string holder = text_at(lease, {"spec", "holderIdentity"});
    holder = holder.substr(0, holder.find('_'));
    if (!holder.empty())
        renewed_ = time_.now();
    // A leader that has lost the Lease and gets it again has forgotten what it knew.
    std::string acquired = text_at(lease, {"spec", "acquireTime"});
    if (holder == leader_ && acquired == acquired_)
        return Change::none;
    acquired_ = std::move(acquired);
    // Or it tries again, since it has not heard that it got it.
    const bool again = holder == leader_ && clean_ && time_.now() < since_ + heard_within;
    const bool was_free = again || (leader_.empty() && figures.leaders > 0);
    leader_ = holder;
    if (holder.empty()) {
        unsettled_ =
            !text_at(lease, {"metadata", "annotations", "omniconnection.io/unsettled"}).empty();
        return Change::released;
    }
    since_ = time_.now();
    clean_ = was_free && !unsettled_;
    ++figures.leaders;
    ++(clean_ ? figures.clean : figures.unclean);
    return Change::taken;
}

} // namespace oco::sim
