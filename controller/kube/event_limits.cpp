#include "kube/event_limits.hpp"

#include <algorithm>

namespace oco::kube {

double EventLimits::tokens_at(const Bucket& bucket, rt::TimePoint now) {
    const auto passed = std::chrono::duration<double>(now - bucket.counted_at);
    return std::min(burst, bucket.tokens + passed / std::chrono::duration<double>(refill));
}

bool EventLimits::allow(const std::string& object, rt::TimePoint now) {
    if (!buckets_.contains(object))
        make_room(now);
    Bucket& bucket = buckets_.try_emplace(object, Bucket{.counted_at = now}).first->second;
    bucket.tokens = tokens_at(bucket, now);
    bucket.counted_at = now;
    if (bucket.tokens < 1) {
        ++suppressed_;
        return false;
    }
    bucket.tokens -= 1;
    return true;
}

void EventLimits::make_room(rt::TimePoint now) {
    if (buckets_.size() < max_objects)
        return;
    std::erase_if(buckets_,
                  [&](const auto& entry) { return tokens_at(entry.second, now) >= burst; });
    if (buckets_.size() >= max_objects)
        buckets_.clear();
}

} // namespace oco::kube
