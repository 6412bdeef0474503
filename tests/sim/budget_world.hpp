// The world in which the budget is judged: an API server without trouble, Omni behind its limit,
// one replica of the operator, and as many connections as a case wants. All times are virtual.
#pragma once

#include "kube_model.hpp"
#include "limited_omni.hpp"
#include "replica.hpp"

#include <functional>
#include <string>
#include <vector>

namespace oco::sim {

inline const std::string omni_host = "acme.omniapp.co";

using Trace = std::function<void(const std::string&)>;

enum class Manages { credential, role, both };

// An OmniConnection and its Secret, as their users last wrote them.
struct BudgetObject {
    std::string ns;
    std::string name;
    std::string connection_id;
    std::string value; // of the credential; empty: it manages none
    std::string role;  // empty: it manages none
    bj::object spec;
};

class BudgetWorld {
  public:
    // `limits`: what Omni allows each key. `trace` is given each line that tells of the run.
    BudgetWorld(std::uint64_t seed, emulator::Limits limits, Trace trace);
    BudgetWorld(const BudgetWorld&) = delete;
    BudgetWorld& operator=(const BudgetWorld&) = delete;
    ~BudgetWorld();

    // --- before start()
    // In each namespace at most one OmniInstance; all have the same key.
    void add_instance(const std::string& ns, int requests_per_minute);

    // The objects use the instance of `instance_ns`. The place of the first is returned, the others
    // follow.
    struct Group {
        std::string ns;
        std::size_t count = 1;
        Manages manages = Manages::credential;
        std::string instance_ns = "team-a";
        std::string drift_check_interval = "0s";
    };

    std::size_t add_connections(const Group& group);

    // Starts the operator, until all is in step, with limits that nobody meets; then the limits
    // hold, and all slots of the budget are free. `begin` is after that, `omni.traffic` begins
    // then. False: that never came about.
    bool start();

    // --- what people do
    void rotate(std::size_t place);
    void rotate(std::size_t first, std::size_t count);
    // Rotates one, and waits until the value has arrived at Omni, ten minutes at most.
    rt::Duration time_of_rotation(std::size_t place);
    void set_role(std::size_t place, const std::string& role);
    // The key may change all connections but this one.
    void restrict_key(std::size_t place);
    void revoke_key();
    void replace_key();

    // SIGKILL, and `down` later the next process starts. Takes a second. How many requests of the
    // minute before no status tells of.
    std::size_t crash(rt::Duration down);
    // SIGTERM; the next process starts when this one has ended.
    void restart();

    // --- time
    void advance(rt::Duration duration);
    // Until it holds; false: not within `at_most`. Looks each second.
    bool advance_until(const std::function<bool()>& holds, rt::Duration at_most);

    [[nodiscard]] rt::TimePoint now() const { return time_.now(); }

    // --- what is to be seen
    [[nodiscard]] const std::vector<BudgetObject>& objects() const { return objects_; }

    [[nodiscard]] std::string key() const { return key_; }

    // Of Omni's traffic: the pushes for these.
    [[nodiscard]] Traffic::Which requests_for(std::size_t first, std::size_t count) const;
    [[nodiscard]] bool ready(std::size_t place) const;
    // Of Ready; empty: there is no such condition.
    [[nodiscard]] std::string reason(std::size_t place) const;
    [[nodiscard]] std::string instance_reason(const std::string& ns) const;
    // Omni holds the newest credential and role.
    [[nodiscard]] bool delivered(std::size_t place);
    // Delivered, Ready, and the status is of the newest Secret and generation.
    [[nodiscard]] bool in_step(std::size_t place);
    [[nodiscard]] bool all_in_step();
    [[nodiscard]] bool all_in_step(std::size_t first, std::size_t count);

    // Lines of the log that must never be there.
    [[nodiscard]] const std::vector<std::string>& log_complaints() const { return log_complaints_; }

    void say(const std::string& text) const;

  private:
    void listen_to_log();
    void apply_instance(const std::string& ns, int requests_per_minute);
    void apply_object(const BudgetObject& object);
    void write_value(BudgetObject& object);
    void write_key();
    [[nodiscard]] const bj::object& shown(std::size_t place) const;
    // How many pushes of the last minute the objects' status tells of.
    [[nodiscard]] std::size_t told_pushes() const;

    std::uint64_t seed_;
    test::SimRuntime time_;
    Network network_;
    emulator::Limits limits_;
    Trace trace_;

  public:
    KubeModel kube;
    LimitedOmni omni;
    rt::TimePoint begin{};

    Network& network() { return network_; }

    [[nodiscard]] test::SimRuntime& time() { return time_; }

  private:
    std::vector<std::pair<std::string, int>> instances_; // namespace, limit
    std::vector<BudgetObject> objects_;
    std::vector<std::string> log_complaints_;
    std::string key_;
    std::uint64_t made_ = 0;
    Replica replica_;
};

} // namespace oco::sim
