// How many Events one object may cause: a token bucket for each. Pure: time comes in. Peer:
// client-go's EventSourceObjectSpamFilter.
#pragma once

#include "rt/runtime.hpp"

#include <cstddef>
#include <map>
#include <string>

namespace oco::kube {

class EventLimits {
  public:
    static constexpr double burst = 25;
    static constexpr rt::Duration refill = std::chrono::minutes(5); // one more Event
    // Objects remembered. Beyond it those that are full again, or else all, are forgotten.
    static constexpr std::size_t max_objects = 4096;

    // Whether `object` (its UID) may cause one more Event now. Suppressed Events are counted.
    bool allow(const std::string& object, rt::TimePoint now);

    // Since the last call.
    std::size_t take_suppressed() { return std::exchange(suppressed_, 0); }

    [[nodiscard]] std::size_t objects() const { return buckets_.size(); }

  private:
    struct Bucket {
        double tokens = burst;
        rt::TimePoint counted_at{};
    };

    static double tokens_at(const Bucket& bucket, rt::TimePoint now);
    void make_room(rt::TimePoint now);

    std::map<std::string, Bucket> buckets_;
    std::size_t suppressed_ = 0;
};

} // namespace oco::kube
