#include "work/request_scheduler.hpp"

#include "rt/backoff.hpp"

#include <algorithm>
#include <utility>

namespace oco::work {
namespace {

// Who was woken and does not come (the object is gone) loses the slot to the next.
constexpr rt::Duration set_aside_for = std::chrono::seconds(30);
// So often a slot goes to whoever waited longest, whatever it is for.
constexpr std::uint64_t longest_wait_turn = 10;
constexpr rt::BackoffPolicy pause_policy{.first = std::chrono::seconds(5),
                                         .longest = std::chrono::minutes(2)};
// An outage that is over must not go unnoticed for long; and this is little, even of 60 a minute.
constexpr rt::BackoffPolicy probe_policy{.first = std::chrono::seconds(1),
                                         .longest = std::chrono::seconds(30)};
// Who has failed comes back at once, to wait for its probe, if it still has something to send.
constexpr rt::Duration unneeded_for = std::chrono::seconds(5);

bool any(const RequestClassTraits& /*unused*/) {
    return true;
}

bool is_push(const RequestClassTraits& request_class) {
    return request_class.push;
}

bool is_read(const RequestClassTraits& request_class) {
    return !request_class.push;
}

} // namespace

std::optional<Grant> RequestScheduler::acquire(Request request, Wake wake) {
    const std::string key = request.key;
    request.failing = breaker_.fails(key);
    if (request.request_class == RequestClass::rotation && breaker_.fails_by_itself(key))
        request.request_class = RequestClass::rotation_retry;
    drop_overdue();
    if (auto grant = collect(key)) {
        grant->request_class = request.request_class;
        return grant;
    }
    const bool tried_at_once = may_try_at_once(request);
    queue_.put(std::move(request), runtime_.now());
    if (tried_at_once) {
        set_aside(key);
    } else {
        wakes_[key] = std::move(wake);
        hand_out(key);
    }
    auto grant = collect(key);
    changed_.notify();
    return grant;
}

std::optional<Grant> RequestScheduler::collect(const std::string& key) {
    const auto found = set_aside_.find(key);
    if (found == set_aside_.end())
        return std::nullopt;
    Grant grant = std::move(found->second.grant);
    set_aside_.erase(found);
    return grant;
}

void RequestScheduler::cancel(const std::string& key) {
    if (auto grant = collect(key))
        give_back(*grant);
    queue_.remove(key);
    wakes_.erase(key);
    changed_.notify();
}

// Who arrives while the breaker is open, and did not fail itself, does not wait for a probe: maybe
// only the others fail.
bool RequestScheduler::may_try_at_once(const Request& request) {
    const auto now = runtime_.now();
    return breaker_.open() && is_push(traits(request.request_class)) && !request.failing &&
           queue_.find(request.key) == nullptr && now >= breaker_.next_fresh() &&
           budget_.ready(request.request_class, now);
}

// --- whose turn it is ------------------------------------------------------------------------

bool RequestScheduler::may_go(RequestClass request_class) {
    const bool held_back = traits(request_class).push && breaker_.open();
    return !held_back && budget_.ready(request_class, runtime_.now());
}

const FairQueue::Waiter* RequestScheduler::choose() {
    const auto now = runtime_.now();
    if (queue_.empty() || !budget_.ready(now))
        return nullptr;
    if (const auto* probe = choose_probe())
        return probe;
    const FairQueue::Waiter* chosen = nullptr;
    for (std::size_t i = 0; i < request_classes; ++i) {
        const auto request_class = static_cast<RequestClass>(i);
        const auto* next = may_go(request_class) ? queue_.next(request_class) : nullptr;
        if (next == nullptr)
            continue;
        const bool better = chosen == nullptr || (traits(request_class).order ==
                                                      traits(chosen->request.request_class).order &&
                                                  next->arrival < chosen->arrival);
        if (better)
            chosen = next;
    }
    const bool ageing = handed_out_ % longest_wait_turn == longest_wait_turn - 1;
    return chosen != nullptr && ageing ? queue_.oldest(breaker_.open() ? is_read : any) : chosen;
}

// Who does not fail goes first: it shows whether Omni fails, or only the others do. Of those that
// do, the one that failed last has waited least: another gets to try.
const FairQueue::Waiter* RequestScheduler::choose_probe() const {
    if (!breaker_.may_probe(runtime_.now()))
        return nullptr;
    const auto* fresh = queue_.first_fresh_push();
    return fresh != nullptr ? fresh : queue_.oldest(is_push);
}

void RequestScheduler::set_aside(const std::string& key) {
    const auto now = runtime_.now();
    FairQueue::Waiter waiter = queue_.take(key);
    const RequestClass request_class = waiter.request.request_class;
    const bool held_back = breaker_.open() && traits(request_class).push;
    const bool probe = held_back && breaker_.may_probe(now);
    if (probe)
        breaker_.begin_probe();
    else if (held_back)
        breaker_.begin_fresh(now);
    ++handed_out_;
    Grant grant{.slot = budget_.take(request_class, now),
                .key = key,
                .request_class = request_class,
                .waited = now - waiter.since,
                .probe = probe};
    set_aside_.emplace(key, SetAside{.grant = std::move(grant),
                                     .waiter = std::move(waiter),
                                     .until = now + set_aside_for});
}

// `entering` is here, and needs no waking.
void RequestScheduler::hand_out(const std::string& entering) {
    while (const auto* next = choose()) {
        const std::string key = next->request.key;
        set_aside(key);
        const auto wake = wakes_.extract(key);
        if (key != entering)
            wake.mapped()();
    }
}

void RequestScheduler::drop_overdue() {
    const auto now = runtime_.now();
    std::vector<Grant> lost;
    std::erase_if(set_aside_, [&](auto& entry) {
        if (entry.second.until > now)
            return false;
        lost.push_back(std::move(entry.second.grant));
        return true;
    });
    for (const auto& grant : lost)
        give_back(grant);
}

// What was set aside must not be used after all. Who was woken for it comes, and waits again, where
// it was in the line.
void RequestScheduler::revoke(bool (*concerned)(const RequestClassTraits&)) {
    for (auto it = set_aside_.begin(); it != set_aside_.end();) {
        if (!concerned(traits(it->second.grant.request_class))) {
            ++it;
            continue;
        }
        const SetAside entry = std::move(it->second);
        it = set_aside_.erase(it);
        give_back(entry.grant);
        wakes_[entry.grant.key] = [] {
        };
        queue_.put_back(entry.waiter);
    }
}

// --- what became of a request ----------------------------------------------------------------

void RequestScheduler::finish(const Grant& grant, RequestResult result,
                              std::optional<std::chrono::seconds> retry_after) {
    const auto now = runtime_.now();
    switch (result) {
    case RequestResult::answered:
        budget_.answered(grant.slot, now);
        note_success(grant);
        break;
    case RequestResult::failed:
        budget_.answered(grant.slot, now);
        note_failure(grant);
        break;
    case RequestResult::rate_limited:
        refused(grant, retry_after);
        break;
    case RequestResult::unanswered:
        budget_.unanswered(grant.slot, now);
        note_failure(grant);
        break;
    case RequestResult::abandoned:
        budget_.unanswered(grant.slot, now);
        if (grant.probe)
            breaker_.probe_undecided();
        break;
    case RequestResult::unsent:
        budget_.unused(grant.slot);
        note_failure(grant);
        break;
    }
    changed_.notify();
}

void RequestScheduler::give_back(const Grant& grant) {
    budget_.unused(grant.slot);
    if (grant.probe)
        breaker_.probe_undecided();
    changed_.notify();
}

void RequestScheduler::refused(const Grant& grant,
                               std::optional<std::chrono::seconds> retry_after) {
    const auto now = runtime_.now();
    const bool news = budget_.refused(grant.slot, now);
    if (retry_after)
        budget_.pause(now + *retry_after);
    else if (news)
        budget_.pause(
            std::max(now + pause_without_advice(budget_.refusals()), budget_.room_from(now)));
    if (grant.probe)
        breaker_.probe_undecided();
    revoke(any);
}

// Never shorter than the step: the server has said that it is too much.
rt::Duration RequestScheduler::pause_without_advice(int refusals) {
    const auto step = rt::backoff_step(pause_policy, refusals);
    return rt::jittered(runtime_, step, step + step / 2);
}

void RequestScheduler::note_failure(const Grant& grant) {
    if (!traits(grant.request_class).push)
        return;
    if (grant.probe && breaker_.open())
        breaker_.pause(runtime_.now() +
                       rt::backoff(runtime_, probe_policy, breaker_.probe_failed()));
    if (breaker_.failed(grant.key, runtime_.now()) != CircuitBreaker::Change::opened)
        return;
    breaker_.pause(runtime_.now() + rt::backoff(runtime_, probe_policy, 1));
    revoke(is_push);
    breaker_changed_();
}

void RequestScheduler::note_success(const Grant& grant) {
    if (traits(grant.request_class).push &&
        breaker_.succeeded(grant.key) == CircuitBreaker::Change::closed)
        breaker_changed_();
}

bool RequestScheduler::holds_pushes_back() const {
    return queue_.oldest(is_push) != nullptr || std::ranges::any_of(set_aside_, [](const auto& it) {
               return traits(it.second.grant.request_class).push;
           });
}

void RequestScheduler::close_unneeded_breaker() {
    if (!breaker_.open() || breaker_.probing() || holds_pushes_back()) {
        unneeded_since_.reset();
        return;
    }
    const auto now = runtime_.now();
    unneeded_since_ = unneeded_since_.value_or(now);
    if (now < *unneeded_since_ + unneeded_for)
        return;
    unneeded_since_.reset();
    breaker_.close();
    breaker_changed_();
}

// --- the rest --------------------------------------------------------------------------------

void RequestScheduler::set_limit(int requests_per_minute) {
    if (requests_per_minute == budget_.configured())
        return;
    budget_.set_limit(requests_per_minute);
    changed_.notify();
}

rt::TimePoint RequestScheduler::estimate(const std::string& key) {
    const auto now = runtime_.now();
    const auto* waiter = queue_.find(key);
    if (waiter == nullptr)
        return now;
    const auto turn = budget_.estimate(queue_.ahead_of(key), waiter->request.request_class, now);
    return breaker_.open() ? std::max(turn, breaker_.next_probe()) : turn;
}

bool RequestScheduler::idle() {
    return queue_.empty() && set_aside_.empty() && budget_.unspent(runtime_.now());
}

RateBudget RequestScheduler::spent() const {
    RateBudget out = budget_;
    for (const auto& [key, entry] : set_aside_)
        out.unused(entry.grant.slot);
    out.abandon(runtime_.now());
    return out;
}

rt::TimePoint RequestScheduler::next_change() {
    const auto now = runtime_.now();
    rt::TimePoint next = rt::TimePoint::max();
    for (const auto& [key, entry] : set_aside_)
        next = std::min(next, entry.until);
    if (unneeded_since_)
        next = std::min(next, *unneeded_since_ + unneeded_for);
    if (queue_.empty())
        return next;
    if (breaker_.open() && breaker_.next_probe() > now)
        next = std::min(next, breaker_.next_probe());
    return std::min(next, budget_.next_change(now));
}

asio::awaitable<void> RequestScheduler::run() {
    while (!closed_) {
        drop_overdue();
        hand_out();
        close_unneeded_breaker();
        const auto next = next_change();
        if (next == rt::TimePoint::max())
            co_await changed_.wait();
        else
            co_await changed_.wait_until(runtime_, next);
    }
}

} // namespace oco::work
