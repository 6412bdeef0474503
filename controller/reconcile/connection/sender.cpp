#include "reconcile/connection/sender.hpp"

#include "base/log.hpp"
#include "base/mutation.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace oco::reconcile {
namespace {

// The Lease is renewed by itself; whoever waits for it looks again after this long.
constexpr rt::Duration lease_patience = std::chrono::seconds(1);
// A turn that comes within this is not worth a word.
constexpr rt::Duration short_wait = std::chrono::seconds(1);
// The scheduler wakes who waits; the time of its turn is estimated again no more often than this.
constexpr rt::Duration shortest_estimate = std::chrono::minutes(1);

// The key waits for the scheduler; why, and about how long.
Outcome queued(work::RequestScheduler& scheduler, const std::string& key, rt::TimePoint now) {
    const auto turn = scheduler.estimate(key);
    Outcome waiting =
        scheduler.breaker_open()
            ? outcome(reason::omni_unavailable,
                      "requests for several connections failed in a row; only one at a time is "
                      "sent until Omni responds again")
        : scheduler.paused_until() > now
            ? outcome(reason::rate_limited, "Omni returned 429 Too Many Requests; nothing is sent "
                                            "with this API key for a while")
            : outcome(reason::rate_limited,
                      std::string("waiting for its turn: ") +
                          (scheduler.remaining() == 0
                               ? "the API key's requests per minute are used up"
                               : "requests of this kind are spread over the minute") +
                          "; status.nextAttemptTime is an estimate");
    waiting.expected = turn;
    waiting.requeue_at =
        now + std::max(shortest_estimate, (turn - now) / 2); // only to estimate again
    waiting.transient = turn <= now + short_wait;
    return waiting;
}

} // namespace

std::optional<Outcome> OmniSender::admit(PendingPush& push, rt::TimePoint now) {
    if (push.client->host != push.target.host) // nothing may go where it was not meant to
        throw std::logic_error("the client is not the target's");
    const auto& account = push.client->account;
    const auto grant = account->scheduler.acquire(
        {.key = push.key.str(), .flow = push.key.ns, .request_class = push.send.request_class},
        [this, key = push.key] { wake_(key); });
    if (!grant) {
        push.waits_at = account;
        return queued(account->scheduler, push.key.str(), now);
    }
    if (!services_.leadership.may_send() && !mutated("lease-unchecked")) {
        account->scheduler.give_back(*grant);
        Outcome waiting = transient("waiting for the Lease to be renewed before sending");
        waiting.requeue_at = now + lease_patience;
        return waiting;
    }
    push.request = std::make_unique<GrantedRequest>(services_, account, *grant, push.instance);
    return std::nullopt;
}

asio::awaitable<Result<void>> OmniSender::deliver(std::shared_ptr<AccountClient> client,
                                                  std::string connection_id, omni::Update update) {
    co_return co_await client->omni.update_connection(std::move(connection_id), std::move(update));
}

std::optional<Outcome> DryRunSender::admit(PendingPush& push, rt::TimePoint /*now*/) {
    const std::string what = describe_push(push.send.fields, push.target);
    auto& reported = reported_[push.key];
    if (std::exchange(reported, push.digest) != push.digest) {
        log::info("dry run", {{"object", push.key.str()}, {"message", what}});
        writer_.record(push.meta, kube::EventType::normal, reason::dry_run, "DryRun", what);
    }
    return outcome(reason::dry_run, what);
}

asio::awaitable<Result<void>> DryRunSender::deliver(std::shared_ptr<AccountClient> /*client*/,
                                                    std::string /*connection_id*/,
                                                    omni::Update /*update*/) {
    throw std::logic_error("a dry run sends nothing");
    co_return Result<void>();
}

} // namespace oco::reconcile
