// Whether a PATCH comes from who holds its fields, by the contract and not by the operator's code:
// worked out at each arrival from what the sending process was shown by then.
//
// What is allowed for: a process goes by what it was shown last `grace` ago or by anything that
// came since. That is a second for its own work, and the way of a request to Omni. Watches that lag
// or are dead are allowed for exactly, since it is known what each process has taken from them.
#pragma once

#include "coverage.hpp"
#include "lease_view.hpp"
#include "omni_orgs.hpp"
#include "truth.hpp"
#include "views.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace oco::sim {

class ClaimsOracle {
  public:
    struct Sources {
        const Truth& truth;
        const KubeViews& kube_views;
        const OmniViews& omni_views;
        const Organizations& orgs;
        const LeaseView& lease;
    };

    // `object_of`: by the numbers of marks.hpp.
    ClaimsOracle(test::SimRuntime& time, Sources sources, std::function<Name(int)> object_of,
                 std::function<void(std::string)> complain, Coverage& coverage)
        : time_(time), from_(sources), object_of_(std::move(object_of)),
          complain_(std::move(complain)), coverage_(coverage) {}

    // `way`: what the way from the operator may have taken.
    void arrived(const OmniModel::Arrival& arrival, const std::string& host, rt::Duration way);

    // A process has written the status of an object, and has taken the answer to that. In between
    // it has to go by both statuses.
    void status_written(const std::string& client, const Name& object) {
        unanswered_writes_.emplace(std::pair(client, object), time_.now());
    }

    void status_answered(const std::string& client, const Name& object) {
        unanswered_writes_.erase({client, object});
    }

    // Counts the claims that are in doubt for who leads now.
    void look_for_doubt();

    std::uint64_t foreign = 0;

  private:
    // One field of one PATCH.
    struct Case {
        std::string client;
        std::string token;
        Target target;
        Field field = Field::credential;
        rt::TimePoint limit{}; // what was shown by then has been heeded
    };

    struct Key {
        std::shared_ptr<const InstanceFacts> instance;
        std::string token;
        rt::TimePoint known_since{};    // to the process: the instance, with this key
        rt::TimePoint as_it_is_since{}; // and with all it says
    };

    // By what a process may go by: does the object claim the field?
    struct Standing {
        bool possible = false;     // by some of it
        bool definite = true;      // by all of it
        std::vector<Key> keys;     // that it may use
        bool may_lack_key = false; // the Secret may be away, and then nobody waits for it
        std::vector<const ObjectFacts*> objects;
        rt::TimePoint since{}; // the process knows all of it
    };

    struct Proof {
        bool possible = false;
        bool definite = false;
        bool behind = false;  // the key was refused all reading
        bool unknown = false; // nothing is known of the key yet
    };

    [[nodiscard]] Standing standing(const Name& object, const Case& of) const;
    void weigh(const ObjectFacts& object, const Case& of, Standing& out) const;
    [[nodiscard]] bool pinned(const ObjectFacts& object, const Case& of) const;
    [[nodiscard]] bool may_mean(const ObjectFacts& object, const Case& of) const;
    [[nodiscard]] bool must_mean(const ObjectFacts& object, const Case& of) const;
    [[nodiscard]] std::optional<rt::TimePoint> named_since(const ObjectFacts& object,
                                                           const Case& of) const;
    template<class T, class Like>
    [[nodiscard]] rt::TimePoint shown_since(const History<T>& history, const std::string& client,
                                            const char* plural, Like like) const;
    void add_keys(const InstanceFacts& instance, const Case& of, Standing& out) const;
    [[nodiscard]] Proof proof(const Name& object, const Standing& standing, const Case& of) const;
    [[nodiscard]] bool holds_by_status(const Name& object, const Case& of) const;
    [[nodiscard]] std::string named(const Name& object, const Case& of) const;
    // Why it may not send; nullopt: it may.
    [[nodiscard]] std::optional<std::string> objection(const Name& sender, const Case& of) const;
    [[nodiscard]] std::optional<std::string> rival_objection(const Name& sender,
                                                             const Standing& its,
                                                             const Proof& its_proof,
                                                             const Case& of) const;
    [[nodiscard]] std::optional<std::string> status_objection(const Name& sender,
                                                              const Case& of) const;
    void count_rivals(const Name& sender, const Case& of);
    [[nodiscard]] std::vector<Name> senders(const Push& push, const Case& of) const;

    test::SimRuntime& time_;
    Sources from_;
    std::function<Name(int)> object_of_;
    std::function<void(std::string)> complain_;
    Coverage& coverage_;
    // Since when: the first that got no answer.
    std::map<std::pair<std::string, Name>, rt::TimePoint> unanswered_writes_;
};

} // namespace oco::sim
