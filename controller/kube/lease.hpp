// Leader election over a Lease (coordination.k8s.io/v1), as client-go does it: of several replicas
// one works, and the others keep warm.
//
// Clocks of other machines are never compared: only how long, by our own monotonic clock, the Lease
// has not changed. Not guaranteed: that a process which is stopped between asking may_work_for()
// and sending has not lost the Lease meanwhile.
#pragma once

#include "kube/client.hpp"
#include "rt/event.hpp"

#include <optional>
#include <string>

namespace oco::kube {

struct LeaseOptions {
    std::string ns;
    std::string name;
    std::string identity; // of this process, new at each start
    rt::Duration duration = std::chrono::seconds(15);
    rt::Duration renew_deadline = std::chrono::seconds(10); // without a renewal we step down
    rt::Duration retry_period = std::chrono::seconds(2);
};

// How the Lease came to us.
enum class Takeover {
    clean,   // released by its last holder, who recorded all it did
    unclean, // it ran out, or nothing is known of a holder before us
};

class LeaderElector {
  public:
    LeaderElector(rt::Runtime& runtime, Client& client, LeaseOptions options);

    // Until the Lease is ours.
    asio::awaitable<Takeover> acquire();
    // Renews; ends when the Lease is lost.
    asio::awaitable<void> hold();
    // Gives it back, so that another replica takes over at once. Best effort.
    asio::awaitable<void> release();

    [[nodiscard]] const std::string& name() const { return options_.name; }

    [[nodiscard]] bool leading() const { return renewed_at_.has_value(); }

    // Whether the Lease is ours for at least this long, counted from the start of the last
    // renewal that succeeded.
    [[nodiscard]] bool may_work_for(rt::Duration time) const;

  private:
    struct Record {
        std::string resource_version; // empty: there is no Lease
        std::string holder;
        std::int64_t transitions = 0;
        std::string acquire_time;
        rt::Duration duration{};

        bool operator==(const Record&) const = default;
    };

    asio::awaitable<Result<std::optional<Takeover>>> try_acquire();
    asio::awaitable<Result<void>> renew();
    asio::awaitable<Result<void>> write(Record wanted);
    asio::awaitable<Result<Record>> read();
    std::string manifest(const Record& record) const;

    rt::Runtime& runtime_;
    Client& client_;
    LeaseOptions options_;
    Record seen_;
    std::optional<rt::TimePoint> seen_since_;
    std::optional<rt::TimePoint> renewed_at_; // start of the last renewal; empty: not leading
};

} // namespace oco::kube
