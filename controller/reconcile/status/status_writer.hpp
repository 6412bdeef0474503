// Reports on one kind of objects: writes their status, records Events, and logs what changed. In a
// dry run no status is really written, and what changed is logged without an Event.
#pragma once

#include "reconcile/cluster/caches.hpp"
#include "reconcile/status/outcome.hpp"
#include "reconcile/status/status_schedule.hpp"

#include <functional>

namespace oco::reconcile {

// What was last reported about an object.
struct Announced {
    std::string reason;
    std::string message;
};

// By the conditions that a process before this one has written.
Announced announced_in(const std::vector<kube::Condition>& conditions);

// What became of a status that was to be written.
enum class Written {
    now,
    unchanged, // the API server has it
    later,     // it is not time, or it failed: the key comes again
    too_large, // the same, and it will fail again: the object is as large as one can be
};

class StatusWriter {
  public:
    // `requeue_at` brings a key back to be reconciled, which ends in another write().
    StatusWriter(const Services& services, const kube::Resource& resource, std::string kind,
                 std::function<void(const ObjectKey&, rt::TimePoint)> requeue_at)
        : services_(services), resource_(resource), kind_(std::move(kind)),
          requeue_at_(std::move(requeue_at)) {}

    // Writes `status`, our part of it, if it is due by the schedule; otherwise, and on failure, the
    // key is queued again. `newest` is the object as last seen by the watch: the
    // conditions of others are taken from it, since a merge patch replaces them all. `schedule`
    // outlives the call.
    template<class Object>
    asio::awaitable<Written> write(std::shared_ptr<const Object> newest, StatusSchedule& schedule,
                                   typename Object::Status status) {
        const auto now = services_.runtime.now();
        const int contests = schedule.contests();
        if (schedule.review_is_due())
            if (const auto later = schedule.review(fingerprint_of(newest->status), now))
                requeue_at_(newest->meta.key, *later);
        if (schedule.contests() > contests && schedule.contests() >= insisted)
            report_contest(newest->meta, schedule.contests(), digest_key_in(newest->status));
        StatusFingerprints fingerprints = fingerprints_of(status);
        const auto due = schedule.due(fingerprints, now);
        if (due && *due > now)
            requeue_at_(newest->meta.key, *due);
        if (!due)
            co_return Written::unchanged;
        if (*due > now)
            co_return Written::later;
        co_return co_await patch(newest->meta, schedule, std::move(fingerprints),
                                 body_of(*newest, std::move(status)));
    }

    // The same, due or not, within `limit`; for shutdown.
    template<class Object>
    asio::awaitable<Result<void>> write_now(std::shared_ptr<const Object> newest,
                                            StatusSchedule& schedule,
                                            typename Object::Status status, rt::Duration limit) {
        StatusFingerprints fingerprints = fingerprints_of(status);
        co_return co_await patch_within(newest->meta, schedule, std::move(fingerprints),
                                        body_of(*newest, std::move(status)), limit);
    }

    // The status that a new state of `object` begins with: what is written, except for the
    // conditions of others.
    template<class Object>
    static typename Object::Status adopt(const Object& object, StatusSchedule& schedule,
                                         Announced& announced) {
        auto status = object.status;
        kube::drop_foreign_conditions(status.conditions);
        schedule.adopt(fingerprints_of(status));
        announced = announced_in(status.conditions);
        return status;
    }

    // The watch has delivered an object; its key is queued again if somebody has edited our part.
    template<class Object>
    void delivered(const Object& object, StatusSchedule& schedule) {
        const auto when =
            schedule.delivered(fingerprint_of(object.status), services_.runtime.now());
        if (when)
            requeue_at_(object.meta.key, *when);
    }

    // Once `now` is in the status: a line in the log, and an Event when the reason is another.
    void announce(const kube::ObjectMeta& meta, Announced& before, const Outcome& now);
    void record(const kube::ObjectMeta& meta, kube::EventType type, std::string_view reason,
                std::string_view action, std::string note);

  private:
    // Times in a row that somebody else wrote the status.
    static constexpr int insisted = 3;

    // By which another operator is known; empty: it does not say.
    static std::string digest_key_in(const api::OmniConnection::Status& status) {
        return status.applied.credential ? status.applied.credential->key_id : std::string();
    }

    static std::string digest_key_in(const api::OmniInstance::Status& /*status*/) { return {}; }

    void report_contest(const kube::ObjectMeta& meta, int contests,
                        const std::string& digest_key_id);

    template<class Object>
    static std::string body_of(const Object& newest, typename Object::Status status) {
        for (const auto& condition : newest.status.conditions)
            if (!kube::owns_condition(condition.type))
                status.conditions.push_back(condition);
        json::Writer body;
        encode(body, status);
        return body.str();
    }

    asio::awaitable<Written> patch(kube::ObjectMeta meta, StatusSchedule& schedule,
                                   StatusFingerprints fingerprints, std::string body);
    asio::awaitable<Result<void>> patch_within(kube::ObjectMeta meta, StatusSchedule& schedule,
                                               StatusFingerprints fingerprints, std::string body,
                                               rt::Duration limit);

    const Services& services_;
    const kube::Resource& resource_;
    std::string kind_;
    std::function<void(const ObjectKey&, rt::TimePoint)> requeue_at_;
};

} // namespace oco::reconcile
