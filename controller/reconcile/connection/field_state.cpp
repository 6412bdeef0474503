#include "reconcile/connection/field_state.hpp"

#include "base/mutation.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {

bool FieldState::lacks(const std::string& uid, const std::string& digest, rt::TimePoint now) const {
    if (confirming_ && confirming_->uid == uid)
        return confirming_->digest != digest || now >= confirming_->due;
    const Value* applied = applied_by(uid);
    return applied == nullptr || applied->digest != digest;
}

bool FieldState::may_be_overwritten(const std::string& digest, rt::TimePoint now) const {
    return suspected(now) || std::ranges::any_of(doubts_, [&](const Doubt& doubt) {
               return doubt.digest != digest && doubt.until > now;
           });
}

bool FieldState::in_doubt(const std::string& uid, rt::TimePoint now) const {
    return (confirming_ && confirming_->uid == uid) || unknown_by_ == uid ||
           (sending_ && sending_->silent && sending_->uid == uid) ||
           std::ranges::any_of(
               doubts_, [&](const Doubt& doubt) { return doubt.uid == uid && doubt.until > now; });
}

std::optional<rt::TimePoint> FieldState::doubt_ends_at(rt::TimePoint now) const {
    std::optional<rt::TimePoint> last;
    for (const Doubt& doubt : doubts_)
        if (doubt.until > now)
            last = std::max(last.value_or(doubt.until), doubt.until);
    return last;
}

std::optional<rt::TimePoint> FieldState::confirm_at(const std::string& uid) const {
    return confirming_ && confirming_->uid == uid ? std::optional(confirming_->due) : std::nullopt;
}

void FieldState::begin_sending(const std::string& uid, const std::string& digest) {
    sent_ = true;
    sending_ = Sending{.uid = uid, .digest = digest};
}

void FieldState::note_silence() {
    if (!sending_)
        return;
    sending_->silent = true;
    if (applied_)
        sending_->before = std::exchange(applied_, std::nullopt);
}

void FieldState::accepted(AppliedEntry entry, rt::TimePoint now) {
    const Sending sent = *std::exchange(sending_, std::nullopt);
    if (mutated("late-values-forgotten") && !confirming_)
        doubts_.clear();
    std::erase_if(doubts_, [&](const Doubt& doubt) { return doubt.until <= now; });
    applied_.reset();
    confirming_.reset();
    unknown_by_.clear();
    if (sent.void_already)
        return;
    if (may_be_overwritten(sent.digest, now) && !mutated("no-settling"))
        confirming_ =
            Confirmation{.uid = sent.uid, .digest = sent.digest, .due = now + may_land_for};
    else
        applied_ = Value{.uid = sent.uid, .digest = sent.digest, .entry = std::move(entry)};
}

void FieldState::rejected() {
    Sending sent = *std::exchange(sending_, std::nullopt);
    if (sent.before && !sent.void_already)
        applied_ = std::move(sent.before);
}

void FieldState::unanswered(LandsLate late, rt::TimePoint now) {
    const Sending sent = *std::exchange(sending_, std::nullopt);
    applied_.reset();
    confirming_.reset();
    unknown_by_ = sent.void_already ? std::string() : sent.uid;
    if (late == LandsLate::maybe)
        add_doubt(sent.uid, sent.digest, now + may_land_for);
}

void FieldState::cut(rt::TimePoint now) {
    if (sending_)
        unanswered(LandsLate::maybe, now);
}

void FieldState::release(const std::string& uid) {
    if (applied_by(uid) != nullptr)
        applied_.reset();
    if (confirming_ && confirming_->uid == uid)
        confirming_.reset();
    if (unknown_by_ == uid)
        unknown_by_.clear();
    if (!sending_)
        return;
    if (sending_->uid == uid)
        sending_->void_already = true;
    if (sending_->before && sending_->before->uid == uid)
        sending_->before.reset();
}

void FieldState::doubt_until(const std::string& uid, rt::TimePoint until) {
    add_doubt(uid, {}, until);
    unknown_by_ = uid;
}

void FieldState::add_doubt(const std::string& uid, const std::string& digest, rt::TimePoint until) {
    const auto known = std::ranges::find_if(
        doubts_, [&](const Doubt& doubt) { return doubt.uid == uid && doubt.digest == digest; });
    if (known == doubts_.end())
        doubts_.push_back({.uid = uid, .digest = digest, .until = until});
    else
        known->until = std::max(known->until, until);
}

void FieldState::restore(Value value) {
    contradicted_ |= applied_ && applied_->uid != value.uid;
    applied_ = contradicted_ ? std::nullopt : std::optional(std::move(value));
}

} // namespace oco::reconcile
