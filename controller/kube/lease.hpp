// Leader election over a Lease (coordination.k8s.io/v1), as client-go does it: of several replicas
// one works, and the others keep warm.
//
// Guaranteed, whatever the clocks of other machines say, while the API server keeps its promise
// that a write with an old resource version is refused:
// - Another replica takes the Lease only once it has seen it released, or unchanged for its whole
//   term by its own monotonic clock. So no other leads while may_work_for(0) is true here.
// - may_work_for(10 s) counts from the start of the last renewal that succeeded, so that a request
//   with a deadline of 10 s ends before another can lead.
// - A Lease is released only when all that was sent is recorded; so who takes it over cleanly can
//   trust what the objects say, and who does not trusts less (Takeover).
// Not guaranteed:
// - that a process which is stopped between asking may_work_for() and sending, or a machine that is
//   suspended (its monotonic clock stops), has not lost the Lease meanwhile;
// - that bytes which have left do not arrive later than a new leader's;
// - anything when a person edits or deletes the Lease while a replica that never saw it starts.
#pragma once

#include "kube/client.hpp"
#include "kube/lease_view.hpp"

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

class LeaderElector {
  public:
    LeaderElector(rt::Runtime& runtime, Client& client, LeaseOptions options);

    // Until the Lease is ours.
    asio::awaitable<Takeover> acquire();
    // Renews; ends when the Lease is lost.
    asio::awaitable<void> hold();
    // Gives it back, so that another replica takes over at once. No deadline of its own.
    asio::awaitable<Result<void>> release();

    [[nodiscard]] const std::string& name() const { return options_.name; }

    // Whether the Lease is ours for at least this long, counted from the start of the last
    // renewal that succeeded.
    [[nodiscard]] bool may_work_for(rt::Duration time) const;

  private:
    asio::awaitable<Result<std::optional<Takeover>>> try_acquire();
    // Writes the Lease with this holder, our name or none, if it is still ours.
    asio::awaitable<Result<void>> rewrite(std::string holder, rt::Duration duration);
    asio::awaitable<Result<void>> write(LeaseRecord wanted);
    asio::awaitable<Result<LeaseRecord>> read();
    std::string manifest(const LeaseRecord& record) const;

    rt::Runtime& runtime_;
    Client& client_;
    LeaseOptions options_;
    LeaseView view_;
    std::optional<rt::TimePoint> renewed_at_; // start of the last renewal; empty: not leading
};

} // namespace oco::kube
