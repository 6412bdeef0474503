// Decrypts private keys that are derived from a passphrase: up to seconds of processor time each,
// so beside the loop; of the costly ones one at a time, and beside it one of the others, which do
// not wait for them. Namespaces take turns, objects with the same key and passphrase share one
// result, and nobody's reconcile waits: the object is woken, and asks again.
#pragma once

#include "kube/object.hpp"
#include "omni/credential.hpp"
#include "rt/task_group.hpp"
#include "work/lines.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace oco::reconcile {

using kube::ObjectKey;

class Derivations {
  public:
    using Result = oco::Result<omni::PreparedCredential>;

    // A result that nobody fetches is wiped after this long.
    static constexpr rt::Duration result_kept = std::chrono::seconds(30);
    // Of each namespace, costly or not; more have to ask again.
    static constexpr std::size_t most_waiting = 1000;

    // `wake`: the object's result is there, once.
    Derivations(rt::Runtime& runtime, rt::TaskGroup& tasks,
                std::function<void(const ObjectKey&)> wake);

    // See omni::prepare_private_key(). nullopt: `object` is woken when it is done. What it asked
    // for before is no longer wanted.
    std::optional<Result> get(const ObjectKey& object, const SecretBytes& pem,
                              const SecretBytes& passphrase);
    void forget(const ObjectKey& object);

    // Whether there is nothing, and nothing to do.
    [[nodiscard]] bool idle() const { return jobs_.empty(); }

  private:
    struct Job {
        SecretBytes pem;
        SecretBytes passphrase;
        std::set<ObjectKey> wanted_by;
        bool begun = false;
        std::optional<Result> result;
    };

    // Of one cost.
    struct Lane {
        work::Lines<std::string> waiting; // the jobs' ids, by namespace
        bool working = false;
    };

    using Jobs = std::map<std::string, std::shared_ptr<Job>>; // by a digest of what they need

    asio::awaitable<void> work_off(Lane& lane);
    asio::awaitable<void> expire(std::string id, std::weak_ptr<Job> job);
    [[nodiscard]] std::shared_ptr<Job> next(Lane& lane);
    void finish(const std::shared_ptr<Job>& job);
    void drop(const ObjectKey& object, const std::string& id);

    rt::Runtime& runtime_;
    rt::TaskGroup& tasks_;
    std::function<void(const ObjectKey&)> wake_;
    SecretBytes digest_key_; // of this process only
    Jobs jobs_;
    std::map<ObjectKey, std::string> wanted_; // the jobs' ids
    Lane low_, high_;
};

} // namespace oco::reconcile
