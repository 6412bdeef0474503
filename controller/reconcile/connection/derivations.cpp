#include "reconcile/connection/derivations.hpp"

#include "base/digest.hpp"
#include "rt/event.hpp"

#include <algorithm>
#include <utility>

namespace oco::reconcile {
namespace {

SecretBytes random_key(rt::Runtime& runtime) {
    std::string bytes(32, '\0');
    runtime.random_bytes({reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()});
    return SecretBytes(std::move(bytes));
}

Derivations::Result copy_of(const Derivations::Result& result) {
    if (!result)
        return result.error();
    return omni::PreparedCredential{.value = result->value.clone(),
                                    .ends_in_newline = result->ends_in_newline};
}

} // namespace

Derivations::Derivations(rt::Runtime& runtime, rt::TaskGroup& tasks,
                         std::function<void(const ObjectKey&)> wake)
    : runtime_(runtime), tasks_(tasks), wake_(std::move(wake)) {}

std::optional<Derivations::Result> Derivations::get(const ObjectKey& object, const SecretBytes& pem,
                                                    const SecretBytes& passphrase) {
    if (digest_key_.empty())
        digest_key_ = random_key(runtime_);
    const std::string id = keyed_digest(digest_key_, {pem.expose(), passphrase.expose()});
    if (const auto before = wanted_.find(object); before != wanted_.end() && before->second != id)
        forget(object);
    if (const auto known = jobs_.find(id); known != jobs_.end()) {
        const auto job = known->second;
        if (job->result) {
            auto copy = copy_of(*job->result);
            forget(object);
            return copy;
        }
        job->wanted_by.insert(object);
        wanted_[object] = id;
        return std::nullopt;
    }
    Lane& lane = omni::derivation_cost(pem) == omni::DerivationCost::high ? high_ : low_;
    if (lane.waiting.size(object.ns) >= most_waiting)
        return std::nullopt;
    jobs_[id] = std::make_shared<Job>(Job{
        .pem = pem.clone(), .passphrase = passphrase.clone(), .wanted_by = {object}, .result = {}});
    wanted_[object] = id;
    lane.waiting.push(object.ns, id);
    if (!std::exchange(lane.working, true))
        tasks_.spawn(work_off(lane));
    return std::nullopt;
}

void Derivations::forget(const ObjectKey& object) {
    if (const auto known = wanted_.extract(object))
        drop(object, known.mapped());
}

// What nobody wants any more is not done, and its result not kept.
void Derivations::drop(const ObjectKey& object, const std::string& id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end())
        return;
    found->second->wanted_by.erase(object);
    if (found->second->wanted_by.empty() && (!found->second->begun || found->second->result))
        jobs_.erase(found);
}

// Ids of jobs that were dropped are skipped.
std::shared_ptr<Derivations::Job> Derivations::next(Lane& lane) {
    while (!lane.waiting.empty()) {
        if (const auto job = jobs_.find(lane.waiting.pop());
            job != jobs_.end() && !job->second->begun) {
            job->second->begun = true;
            return job->second;
        }
    }
    return nullptr;
}

asio::awaitable<void> Derivations::work_off(Lane& lane) {
    while (const auto job = next(lane)) {
        const auto done = std::make_shared<rt::Event>(runtime_);
        const auto result = std::make_shared<std::optional<Result>>();
        runtime_.run_aside(
            [job, result] {
                // Only this thread touches these two until it is done.
                *result = omni::prepare_private_key(
                    job->pem, job->passphrase.empty() ? nullptr : &job->passphrase);
            },
            [done] { done->notify(); });
        co_await done->wait();
        job->result = std::move(*result);
        finish(job);
    }
    lane.working = false;
}

void Derivations::finish(const std::shared_ptr<Job>& job) {
    const auto found =
        std::ranges::find_if(jobs_, [&](const auto& entry) { return entry.second == job; });
    if (job->wanted_by.empty()) {
        jobs_.erase(found);
        return;
    }
    tasks_.spawn(expire(found->first, job));
    for (const ObjectKey& object : std::set(job->wanted_by))
        wake_(object);
}

asio::awaitable<void> Derivations::expire(std::string id, std::weak_ptr<Job> job) {
    co_await runtime_.sleep(result_kept);
    if (const auto found = jobs_.find(id); found != jobs_.end() && found->second == job.lock()) {
        for (const ObjectKey& object : found->second->wanted_by)
            wanted_.erase(object);
        jobs_.erase(found);
    }
}

} // namespace oco::reconcile
