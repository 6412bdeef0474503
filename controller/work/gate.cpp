#include "work/gate.hpp"

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

bool any(const ErrandTraits& /*errand*/) {
    return true;
}

bool is_push(const ErrandTraits& errand) {
    return errand.push;
}

bool is_read(const ErrandTraits& errand) {
    return !errand.push;
}

} // namespace

std::optional<Grant> Gate::enter(Wish wish, Wake wake) {
    const std::string key = wish.key;
    drop_overdue();
    if (auto grant = collect(key)) {
        grant->errand = wish.errand;
        return grant;
    }
    turns_.put(std::move(wish), runtime_.now());
    wakes_[key] = std::move(wake);
    hand_out(key);
    auto grant = collect(key);
    changed_.notify();
    return grant;
}

std::optional<Grant> Gate::collect(const std::string& key) {
    const auto found = set_aside_.find(key);
    if (found == set_aside_.end())
        return std::nullopt;
    Grant grant = std::move(found->second.grant);
    set_aside_.erase(found);
    return grant;
}

void Gate::leave(const std::string& key) {
    if (auto grant = collect(key))
        give_back(*grant);
    turns_.remove(key);
    wakes_.erase(key);
}

// --- whose turn it is ------------------------------------------------------------------------

bool Gate::may_go(Errand errand) {
    const bool held_back = traits(errand).push && breaker_.open();
    return !held_back && budget_.ready(errand, runtime_.now());
}

const Turns::Place* Gate::choose() {
    const auto now = runtime_.now();
    if (turns_.empty() || !budget_.ready(now))
        return nullptr;
    // Of those that wait, the one that failed last has waited least: another gets to try.
    if (breaker_.may_probe(now))
        if (const auto* probe = turns_.oldest(is_push))
            return probe;
    const Turns::Place* chosen = nullptr;
    for (std::size_t i = 0; i < errands; ++i) {
        const auto errand = static_cast<Errand>(i);
        const auto* next = may_go(errand) ? turns_.next(errand) : nullptr;
        if (next == nullptr)
            continue;
        const bool better =
            chosen == nullptr || (traits(errand).order == traits(chosen->wish.errand).order &&
                                  next->arrival < chosen->arrival);
        if (better)
            chosen = next;
    }
    const bool ageing = handed_out_ % longest_wait_turn == longest_wait_turn - 1;
    return chosen != nullptr && ageing ? turns_.oldest(breaker_.open() ? is_read : any) : chosen;
}

void Gate::set_aside(const std::string& key) {
    const auto now = runtime_.now();
    Turns::Place place = turns_.take(key);
    const Errand errand = place.wish.errand;
    const bool probe = breaker_.open() && traits(errand).push;
    if (probe)
        breaker_.begin_probe();
    ++handed_out_;
    Grant grant{.slot = budget_.take(errand, now),
                .key = key,
                .errand = errand,
                .waited = now - place.since,
                .probe = probe};
    set_aside_.emplace(key, SetAside{.grant = std::move(grant),
                                     .place = std::move(place),
                                     .until = now + set_aside_for});
}

// `entering` is here, and needs no waking.
void Gate::hand_out(const std::string& entering) {
    while (const auto* next = choose()) {
        const std::string key = next->wish.key;
        set_aside(key);
        const auto wake = wakes_.extract(key);
        if (key != entering)
            wake.mapped()();
    }
}

void Gate::drop_overdue() {
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
void Gate::revoke(bool (*concerned)(const ErrandTraits&)) {
    for (auto it = set_aside_.begin(); it != set_aside_.end();) {
        if (!concerned(traits(it->second.grant.errand))) {
            ++it;
            continue;
        }
        const SetAside entry = std::move(it->second);
        it = set_aside_.erase(it);
        give_back(entry.grant);
        wakes_[entry.grant.key] = [] {
        };
        turns_.put_back(entry.place);
    }
}

// --- what became of a request ----------------------------------------------------------------

void Gate::finish(const Grant& grant, Ending ending,
                  std::optional<std::chrono::seconds> retry_after) {
    const auto now = runtime_.now();
    switch (ending) {
    case Ending::given:
        budget_.answered(grant.slot, now);
        note_success(grant);
        break;
    case Ending::failed:
        budget_.answered(grant.slot, now);
        note_failure(grant);
        break;
    case Ending::rate_limited:
        refused(grant, retry_after);
        break;
    case Ending::none:
        budget_.unanswered(grant.slot, now);
        note_failure(grant);
        break;
    case Ending::cut:
        budget_.unanswered(grant.slot, now);
        if (grant.probe)
            breaker_.probe_undecided();
        break;
    case Ending::unsent:
        budget_.unused(grant.slot);
        note_failure(grant);
        break;
    }
    changed_.notify();
}

void Gate::give_back(const Grant& grant) {
    budget_.unused(grant.slot);
    if (grant.probe)
        breaker_.probe_undecided();
    changed_.notify();
}

void Gate::refused(const Grant& grant, std::optional<std::chrono::seconds> retry_after) {
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
rt::Duration Gate::pause_without_advice(int refusals) {
    const auto step = rt::backoff_step(pause_policy, refusals);
    return rt::jittered(runtime_, step, step + step / 2);
}

void Gate::note_failure(const Grant& grant) {
    if (!traits(grant.errand).push)
        return;
    if (grant.probe && breaker_.open())
        breaker_.pause(runtime_.now() +
                       rt::backoff(runtime_, probe_policy, breaker_.probe_failed()));
    if (breaker_.failed(grant.key) != CircuitBreaker::Change::opened)
        return;
    breaker_.pause(runtime_.now() + rt::backoff(runtime_, probe_policy, 1));
    revoke(is_push);
    breaker_changed_();
}

void Gate::note_success(const Grant& grant) {
    if (traits(grant.errand).push && breaker_.succeeded() == CircuitBreaker::Change::closed)
        breaker_changed_();
}

// --- the rest --------------------------------------------------------------------------------

void Gate::set_limit(int requests_per_minute) {
    if (requests_per_minute == budget_.configured())
        return;
    budget_.set_limit(requests_per_minute);
    changed_.notify();
}

rt::TimePoint Gate::estimate(const std::string& key) {
    const auto now = runtime_.now();
    const auto* place = turns_.find(key);
    if (place == nullptr)
        return now;
    const auto turn = budget_.estimate(turns_.ahead_of(key), place->wish.errand, now);
    return breaker_.open() ? std::max(turn, breaker_.next_probe()) : turn;
}

bool Gate::idle() {
    return turns_.empty() && set_aside_.empty() && budget_.unspent(runtime_.now());
}

rt::TimePoint Gate::next_change() {
    const auto now = runtime_.now();
    rt::TimePoint next = rt::TimePoint::max();
    for (const auto& [key, entry] : set_aside_)
        next = std::min(next, entry.until);
    if (turns_.empty())
        return next;
    if (breaker_.open() && breaker_.next_probe() > now)
        next = std::min(next, breaker_.next_probe());
    return std::min(next, budget_.next_change(now));
}

asio::awaitable<void> Gate::run() {
    while (!closed_) {
        drop_overdue();
        hand_out();
        const auto next = next_change();
        if (next == rt::TimePoint::max())
            co_await changed_.wait();
        else
            co_await changed_.wait_until(runtime_, next);
    }
}

} // namespace oco::work
