// An OmniInstance of the simulated world, as its users write it, with the Secret that holds its
// key. It may vanish at any moment, be made again, and be changed in all that it says.
#pragma once

#include "facts.hpp"
#include "kube_model.hpp"
#include "omni_orgs.hpp"

#include <string>

namespace oco::sim {

// What is different when it is made again.
enum class Anew {
    nothing,
    spec,         // the address is written in another way, and the limit is another
    secret,       // another Secret, with the same key
    secret_later, // another Secret, which is not there yet
};

class ManagedInstance {
  public:
    // What its users may change; apply() writes it.
    struct Settings {
        std::size_t org = 0;
        std::size_t key = 0; // a place in the organization's keys
        int limit = 60;
        InstanceFacts::From allowed_from = InstanceFacts::From::all;
        std::set<std::string> allowed_teams;
        std::optional<std::set<std::string>> allowed_connections;
        bool suspended = false;
    };

    ManagedInstance(test::SimRuntime& time, KubeModel& kube, Organizations& orgs,
                    std::uint64_t seed, Name name, Settings wanted);

    [[nodiscard]] const Name& name() const { return name_; }

    [[nodiscard]] Organization& org() { return orgs_[settings.org]; }

    [[nodiscard]] const ApiKey& key() const { return orgs_[settings.org].keys[settings.key]; }

    [[nodiscard]] bool exists() const;

    Settings settings;
    // If it is there.
    void apply();
    // Also of the key, which may be another now.
    void write_secret();

    void remove();
    // If it is not there.
    void make(Anew how = Anew::nothing);
    // The same, with any difference.
    void make_somehow();

    // The Secret with the key.
    [[nodiscard]] Name secret() const { return {name_.first, secret_}; }

    struct Counts {
        std::uint64_t deleted = 0;
        std::uint64_t made_again = 0;
    } counts;

  private:
    void write();
    void name_another_secret();

    test::SimRuntime& time_;
    KubeModel& kube_;
    Organizations& orgs_;
    Dice dice_;
    Name name_;
    bool other_form_ = false; // of the address
    std::string secret_;
    int made_ = 0; // Secrets
};

} // namespace oco::sim
