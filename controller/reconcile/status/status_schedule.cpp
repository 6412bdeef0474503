#include "reconcile/status/status_schedule.hpp"

#include "base/digest.hpp"
#include "rt/backoff.hpp"

#include <algorithm>

namespace oco::reconcile {
namespace {

// Short enough for a string without memory of its own.
constexpr std::size_t print_characters = 15;

// Values may be hundreds of kilobytes, and their fingerprint is known.
void shorten_values(api::Applied& applied) {
    if (auto& attribute = applied.environment_user_attribute)
        attribute->value.default_values = {attribute->value.default_values.fingerprint()};
}

template<class Status>
std::string print_all(Status status) {
    kube::drop_foreign_conditions(status.conditions);
    json::Writer writer;
    encode(writer, status);
    return fingerprint(writer.view(), print_characters);
}

std::string ready_of(const std::vector<kube::Condition>& conditions) {
    const auto* ready = kube::find_condition(conditions, "Ready");
    return ready == nullptr ? std::string() : ready->status + " " + ready->reason;
}

} // namespace

std::string fingerprint_of(const api::OmniConnection::Status& status) {
    api::OmniConnection::Status shortened = status;
    shorten_values(shortened.applied);
    return print_all(std::move(shortened));
}

std::string fingerprint_of(const api::OmniInstance::Status& status) {
    return print_all(status);
}

StatusFingerprints fingerprints_of(const api::OmniConnection::Status& status) {
    // What follows the Secret without a push can wait: its version and its rotation's id.
    api::OmniConnection::Status accepted;
    accepted.applied = status.applied;
    shorten_values(accepted.applied);
    accepted.unanswered = status.unanswered;
    if (auto& credential = accepted.applied.credential) {
        credential->secret_resource_version.clear();
        credential->rotation_id.clear();
    }
    json::Writer writer;
    encode(writer, accepted);
    return {.all = fingerprint_of(status),
            .urgent = fingerprint(ready_of(status.conditions) + "\n" + std::string(writer.view()),
                                  print_characters)};
}

StatusFingerprints fingerprints_of(const api::OmniInstance::Status& status) {
    return {.all = fingerprint_of(status),
            .urgent = fingerprint(ready_of(status.conditions), print_characters)};
}

std::optional<rt::TimePoint> StatusSchedule::due(const StatusFingerprints& wanted,
                                                 rt::TimePoint now) const {
    if (wanted.all == sent_.all && !diverged_)
        return std::nullopt;
    if (retry_at_)
        return std::max(now, *retry_at_);
    if (wanted.all == sent_.all && contests_ > 1)
        return std::max(now, *contested_at_ + contest_pause());
    if (wanted.urgent != sent_.urgent || !written_at_)
        return now;
    return std::max(now, *written_at_ + pace);
}

void StatusSchedule::written(rt::TimePoint now) {
    written_at_ = now;
    retry_at_.reset();
    failures_ = 0;
    diverged_ = false;
}

void StatusSchedule::failed(rt::TimePoint retry_at) {
    ++failures_;
    retry_at_ = retry_at;
}

rt::TimePoint StatusSchedule::echo_over(rt::TimePoint now) const {
    return written_at_ ? std::max(now, *written_at_ + echo) : now;
}

std::optional<rt::TimePoint> StatusSchedule::delivered(const std::string& all, rt::TimePoint now) {
    if (all == sent_.all)
        return std::nullopt;
    suspected_ = true;
    return echo_over(now);
}

std::optional<rt::TimePoint> StatusSchedule::review(const std::string& newest, rt::TimePoint now) {
    if (!suspected_)
        return std::nullopt;
    if (const auto over = echo_over(now); over > now)
        return over;
    suspected_ = false;
    if (newest == sent_.all)
        return std::nullopt;
    diverged_ = true;
    const bool again = contested_at_ && now < *contested_at_ + 2 * contest_pause();
    contests_ = again ? contests_ + 1 : 1;
    contested_at_ = now;
    return std::nullopt;
}

rt::Duration StatusSchedule::contest_pause() const {
    return rt::backoff_step({.first = 2 * echo, .longest = longest_contest_pause}, contests_);
}

} // namespace oco::reconcile
