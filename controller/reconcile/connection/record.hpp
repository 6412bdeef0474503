// What is known of an object's fields, as its status says it to people and to the next process: the
// one place that writes `applied` and `unanswered`, and the one that takes them up again. Pure.
#pragma once

#include "reconcile/connection/digests.hpp"
#include "reconcile/connection/targets.hpp"

namespace oco::reconcile {

// Sets `status.applied` and `status.unanswered` of the object from what is known of `target`, where
// it has `state` (null: nothing is known).
void record_fields(api::OmniConnection::Status& status, const api::OmniConnection& object,
                   const Target& target, const TargetState* state, rt::TimePoint now);

// How far a status is believed by a process that knows nothing else.
struct Trust {
    // All that was sent is in the statuses: the process before this one said so as it ended.
    bool all_is_recorded = false;
    // It may be older than what was sent.
    bool rewound = false;
    // The Secret of the credential as the watch shows it; null: there is none.
    const kube::ObjectMeta* secret = nullptr;
    // Whether that was listed after the status: it cannot be older then, unless one of the two was
    // restored from a backup.
    bool secret_is_newer = false;
};

// Takes up what the object's status says. Where something may have been sent that it does not say,
// what it says is not taken up, so that it is sent again: the spec was changed since, it wanted
// something else than what was applied, or the Secret is at another version.
void restore_fields(Targets& targets, const api::OmniConnection& object, const DigestKey& key,
                    const Trust& trust, rt::TimePoint now);

} // namespace oco::reconcile
