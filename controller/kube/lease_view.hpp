// What one replica knows of the Lease, and whether it may take it. Pure: time comes in, by the
// local monotonic clock only; the times that are written in a Lease are never compared with a
// clock.
#pragma once

#include "rt/runtime.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace oco::kube {

// How the Lease came to us.
enum class Takeover {
    clean,   // released by its last holder, who recorded all it did
    unclean, // it ran out, or nothing is known of a holder before us
};

struct LeaseRecord {
    std::string resource_version; // empty: there is no Lease
    std::string holder;           // empty: released
    std::int64_t transitions = 0;
    std::string acquire_time;
    rt::Duration duration{};

    [[nodiscard]] bool absent() const { return resource_version.empty(); }

    bool operator==(const LeaseRecord&) const = default;
};

class LeaseView {
  public:
    LeaseView(std::string identity, rt::Duration duration)
        : identity_(std::move(identity)), duration_(duration) {}

    // The Lease as a request that has ended by `now` found it, or wrote it. The present holder may
    // have written it as late as that: its term counts from here, not from the request's start.
    void observe(LeaseRecord record, rt::TimePoint now);

    // Whether the Lease may be taken, and how it comes; nullopt: it is another's. `asked` is when
    // the look at it began. An absent one is free when none was ever seen; one that vanished may
    // still be held by who had it, until that term is over.
    [[nodiscard]] std::optional<Takeover> may_take(rt::TimePoint asked) const;

    // What to write to take it. may_take() answers the same while it is not known whether that
    // arrived: our own name in the Lease is an earlier try of ours.
    LeaseRecord claim(Takeover how, std::string acquire_time);

    [[nodiscard]] const LeaseRecord& record() const { return record_; }

    [[nodiscard]] bool ours() const { return !record_.absent() && record_.holder == identity_; }

  private:
    std::string identity_;
    rt::Duration duration_;
    LeaseRecord record_;
    std::optional<rt::TimePoint> since_; // the record has been like this, as far as we know
    bool vanished_ = false;
    std::optional<Takeover> claimed_;
};

} // namespace oco::kube
