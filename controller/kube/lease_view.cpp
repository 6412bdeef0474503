#include "kube/lease_view.hpp"

#include <algorithm>

namespace oco::kube {

std::string_view name(Takeover takeover) {
    switch (takeover) {
    case Takeover::clean:
        return "clean";
    case Takeover::unsettled:
        return "unsettled";
    case Takeover::unclean:
        return "unclean";
    case Takeover::none:
        return "none";
    }
    return {};
}

LeaseRecord decode_lease(const json::Value& lease) {
    LeaseRecord record;
    record.resource_version = json::string_at(lease, {"metadata", "resourceVersion"});
    record.unsettled = json::string_at(lease, {"metadata", "annotations", unsettled_annotation});
    if (const json::Value* spec = json::find(lease, "spec")) {
        record.holder = json::string_at(*spec, "holderIdentity");
        record.transitions = json::int_at(*spec, "leaseTransitions").value_or(0);
        record.acquire_time = json::string_at(*spec, "acquireTime");
        record.duration =
            std::chrono::seconds(json::int_at(*spec, "leaseDurationSeconds").value_or(0));
    }
    return record;
}

void LeaseView::observe(LeaseRecord record, rt::TimePoint now) {
    if (since_ && record == record_)
        return;
    vanished_ = since_ && record.absent() && (vanished_ || !record_.holder.empty());
    record_ = std::move(record);
    since_ = now;
}

std::optional<Takeover> LeaseView::may_take(rt::TimePoint asked) const {
    if (!since_)
        return std::nullopt;
    if (ours())
        return claimed_.value_or(Takeover::unclean);
    if (record_.absent() && !vanished_)
        return Takeover::none;
    // Who empties the Lease by hand does not know whether its holder is at work.
    if (released())
        return record_.unsettled.empty() ? Takeover::clean : Takeover::unsettled;
    // A holder that asked for a longer term has it.
    if (asked - *since_ >= std::max(record_.duration, duration_))
        return Takeover::unclean;
    return std::nullopt;
}

LeaseRecord LeaseView::claim(Takeover how, std::string acquire_time) {
    claimed_ = how;
    LeaseRecord wanted = record_;
    wanted.holder = identity_;
    if (!ours())
        unsettled_ = std::move(wanted.unsettled);
    wanted.unsettled.clear();
    wanted.duration = duration_;
    wanted.acquire_time = std::move(acquire_time);
    wanted.transitions += record_.absent() || ours() ? 0 : 1;
    return wanted;
}

} // namespace oco::kube
