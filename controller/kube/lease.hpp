// Leader election with a Lease (coordination.k8s.io/v1), as in client-go: one of several replicas
// works, and the others keep their caches warm.
//
// Guaranteed, whatever the clocks of other machines say, while the API server keeps its promise
// that a write with an old resource version is refused:
// - Another replica takes the Lease only once it has seen it released, or unchanged for its whole
//   term by its own monotonic clock. So no other leads while may_work_for(0) is true here.
// - may_work_for(10 s) counts from the start of the last renewal that succeeded, so that a request
//   with a deadline of 10 s ends before another can lead.
// - A Lease is released only when all that was sent is recorded, and says whether any of that may
//   still be carried out; so a replica that takes it over cleanly can trust what the objects say,
//   and otherwise trusts them less (Takeover).
// Not guaranteed:
// - that a process which is stopped between asking may_work_for() and sending, or a machine that is
//   suspended (its monotonic clock stops), has not lost the Lease meanwhile;
// - that bytes which have left do not arrive later than a new leader's;
// - anything if somebody edits or deletes the Lease while a replica that never saw it starts.
#pragma once

#include "kube/client.hpp"
#include "kube/lease_view.hpp"
#include "rt/event.hpp"

#include <optional>
#include <string>

namespace oco::kube {

// As client-go has them. `duration` is longer than `renew_deadline`, and that than `retry_period`.
struct LeaseTimes {
    rt::Duration duration = std::chrono::seconds(15);
    rt::Duration renew_deadline = std::chrono::seconds(10); // without a renewal we step down
    rt::Duration retry_period = std::chrono::seconds(2);
};

struct LeaseOptions {
    std::string ns;
    std::string name;
    std::string identity; // of this process, new at each start
    LeaseTimes times;
};

class LeaderElector {
  public:
    LeaderElector(rt::Runtime& runtime, Client& client, LeaseOptions options);

    // Until the Lease is ours. While it is another's it is watched, so that a release is taken up
    // at once; when nothing comes of the watch it is read, once in a retry period. So the right to
    // watch it is not needed, except for speed.
    asio::awaitable<Takeover> acquire();
    // Renews; ends when the Lease is lost.
    asio::awaitable<void> hold();
    // Gives it back, so that another replica takes over at once. No deadline of its own.
    // `unsettled` is what unsettled() tells the next; empty: nothing.
    asio::awaitable<Result<void>> release(std::string unsettled);

    // After acquire() with Takeover::unsettled: what the last holder said.
    [[nodiscard]] const std::string& unsettled() const { return view_.unsettled(); }

    [[nodiscard]] const std::string& name() const { return options_.name; }

    // It was ours before we had it last time, and nobody else's in between.
    [[nodiscard]] bool resumed() const { return resumed_; }

    // Whether the Lease is ours for at least this long, counted from the start of the last
    // renewal that succeeded.
    [[nodiscard]] bool may_work_for(rt::Duration time) const;

  private:
    // Where an attempt knows the Lease from. Only a release is taken as the watch told of it: a
    // write with a version that is outdated is refused. Anything else needs a look of our own: only
    // then silence means that the term is over.
    enum class Look { read, as_watched };

    asio::awaitable<Takeover> stand_by();
    // nullopt: not taken, and why is logged.
    asio::awaitable<std::optional<Takeover>> attempt(Look look);
    asio::awaitable<Result<std::optional<Takeover>>> try_acquire(Look look);
    // Whether what the watch told of is new to us.
    bool take_in_watched();
    void report_waiting();
    rt::Duration pause();
    asio::awaitable<Result<void>> renew();
    // Writes this, with our name or none, if the Lease is still ours.
    asio::awaitable<Result<void>> rewrite(LeaseRecord wanted);
    asio::awaitable<Result<void>> write(LeaseRecord wanted);
    asio::awaitable<Result<LeaseRecord>> read();
    std::string manifest(const LeaseRecord& record) const;

    rt::Runtime& runtime_;
    Client& client_;
    LeaseOptions options_;
    LeaseView view_;
    std::optional<rt::TimePoint> renewed_at_; // start of the last renewal; empty: not leading
    std::optional<LeaseRecord> watched_;      // what the watch told of since we looked
    rt::Event news_;                          // it told of something
    bool led_ = false;                        // some time
    bool resumed_ = false;
    std::string reported_; // why we wait, as the log has it
};

} // namespace oco::kube
