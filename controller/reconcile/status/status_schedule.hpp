// What was written to an object's status, and when it may be written next. Pure: time comes in.
//
// The status is kept as a fingerprint of its form on the wire, without the conditions that other
// controllers own; so that 10,000 objects need no second copy of it.
#pragma once

#include "api/omni_connection.hpp"
#include "rt/runtime.hpp"

#include <optional>
#include <string>

namespace oco::reconcile {

struct StatusFingerprints {
    std::string all; // of our part of the status
    std::string
        urgent; // of what is recorded at once: Ready's status and reason, what Omni accepted
};

StatusFingerprints fingerprints_of(const api::OmniConnection::Status& status);
StatusFingerprints fingerprints_of(const api::OmniInstance::Status& status);
// StatusFingerprints::all alone.
std::string fingerprint_of(const api::OmniConnection::Status& status);
std::string fingerprint_of(const api::OmniInstance::Status& status);

class StatusSchedule {
  public:
    // Between two writes, unless what is urgent changes.
    static constexpr rt::Duration pace = std::chrono::seconds(1);
    // The watch lags behind our own writes: until this long after one, what it delivers may be
    // older.
    static constexpr rt::Duration echo = std::chrono::seconds(2);
    // Between two writes of the same, where somebody else keeps writing something else.
    static constexpr rt::Duration longest_contest_pause = std::chrono::minutes(10);

    // The object as it was when it was first seen.
    void adopt(StatusFingerprints found) { sent_ = std::move(found); }

    // When `wanted` may be written, at `now` or later; nullopt: that is what the API server has.
    [[nodiscard]] std::optional<rt::TimePoint> due(const StatusFingerprints& wanted,
                                                   rt::TimePoint now) const;

    // A write begins; then written() or failed() follows.
    void begin(StatusFingerprints wanted) {
        sent_ = std::move(wanted);
        diverged_ = true; // until it is known to have arrived
    }

    void written(rt::TimePoint now);
    void failed(rt::TimePoint retry_at);

    [[nodiscard]] int failures() const { return failures_; }

    // The watch has delivered a status with this print. If it is not what we wrote, somebody may
    // have edited it: review() is due then, once.
    std::optional<rt::TimePoint> delivered(const std::string& all, rt::TimePoint now);

    [[nodiscard]] bool review_is_due() const { return suspected_; }

    // With the print of the newest status: if it still is not ours, all is due to be written again.
    // Returns when to come back, if it is too early.
    std::optional<rt::TimePoint> review(const std::string& newest, rt::TimePoint now);

    // How often in a row it was not ours: somebody insists. What was edited once is written again
    // at once; then the pauses grow, unless what we have to say is another thing.
    [[nodiscard]] int contests() const { return contests_; }

  private:
    [[nodiscard]] rt::TimePoint echo_over(rt::TimePoint now) const;
    [[nodiscard]] rt::Duration contest_pause() const;

    StatusFingerprints sent_;
    bool diverged_ = false;  // the API server has something else, or may have
    bool suspected_ = false; // of having been edited
    std::optional<rt::TimePoint> written_at_;
    std::optional<rt::TimePoint> retry_at_;
    int failures_ = 0;
    int contests_ = 0;
    std::optional<rt::TimePoint> contested_at_; // the last time
};

} // namespace oco::reconcile
