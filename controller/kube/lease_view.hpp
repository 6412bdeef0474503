// What one replica knows of the Lease, and whether it may take it. Pure: time comes in, by the
// local monotonic clock only; the times that are written in a Lease are never compared with a
// clock.
#pragma once

#include "base/json.hpp"
#include "rt/runtime.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oco::kube {

// How this replica got the Lease.
enum class Takeover {
    clean,     // released by its last holder, which recorded all it did
    unsettled, // the same, but something that was sent may still be carried out
    unclean,   // its last holder has died, or deleted it
    none,      // there never was a holder, as far as can be told
};

std::string_view name(Takeover takeover);

struct LeaseRecord {
    std::string resource_version; // empty: there is no Lease
    std::string holder;           // empty: released
    std::string unsettled;        // as it was released: what may still be carried out
    std::int64_t transitions = 0;
    std::string acquire_time;
    rt::Duration duration{};

    [[nodiscard]] bool absent() const { return resource_version.empty(); }

    bool operator==(const LeaseRecord&) const = default;
};

// Says of a Lease that was released what its last holder sent that may still be carried out, in the
// holder's terms.
inline constexpr std::string_view unsettled_annotation = "omniconnection.io/unsettled";

// The term of a Lease that its holder has released: by that it is told from one that somebody else
// has emptied.
inline constexpr rt::Duration released_duration = std::chrono::seconds(1);

LeaseRecord decode_lease(const json::Value& lease);

class LeaseView {
  public:
    LeaseView(std::string identity, rt::Duration duration)
        : identity_(std::move(identity)), duration_(duration) {}

    // The Lease as a request that has ended by `now` found it, or wrote it. The current holder may
    // have written it as late as that: its term counts from then, not from the request's start.
    void observe(LeaseRecord record, rt::TimePoint now);

    // Whether the Lease may be taken, and how; nullopt: another replica holds it. `asked` is when
    // the read of it began. If it is absent, it is free if it was never seen; one that was deleted
    // may still be held by its last holder until that term is over.
    [[nodiscard]] std::optional<Takeover> may_take(rt::TimePoint asked) const;

    // Its last holder gave it back.
    [[nodiscard]] bool released() const {
        return !record_.absent() && record_.holder.empty() && record_.duration == released_duration;
    }

    // What to write to take it. may_take() returns the same while it is not known whether that
    // arrived: our own name in the Lease is from an earlier attempt of ours.
    LeaseRecord claim(Takeover how, std::string acquire_time);

    // We have stepped down, and not all that was done is recorded.
    void stepped_down() { claimed_.reset(); }

    [[nodiscard]] const LeaseRecord& record() const { return record_; }

    // What the last claim was told of: what may still be carried out.
    [[nodiscard]] const std::string& unsettled() const { return unsettled_; }

    [[nodiscard]] bool ours() const { return !record_.absent() && record_.holder == identity_; }

  private:
    std::string identity_;
    rt::Duration duration_;
    LeaseRecord record_;
    std::optional<rt::TimePoint> since_; // the record has been like this, as far as we know
    bool vanished_ = false;
    std::optional<Takeover> claimed_;
    std::string unsettled_;
};

} // namespace oco::kube
