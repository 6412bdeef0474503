#include "ops/liveness.hpp"

namespace oco::ops {
namespace {

std::string seconds(rt::Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) +
           " s";
}

} // namespace

std::string liveness_trouble(rt::TimePoint now, rt::TimePoint last_beat,
                             const std::vector<WatchLife>& watches) {
    if (now - last_beat > heartbeat_limit)
        return "the event loop has stalled: its last turn was " + seconds(now - last_beat) + " ago";
    for (const auto& watch : watches)
        if (now - watch.answered_at > watch_limit)
            return "the API server has not answered the watch of " + watch.name + " for " +
                   seconds(now - watch.answered_at);
    return {};
}

} // namespace oco::ops
