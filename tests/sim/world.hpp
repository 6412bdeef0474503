// The simulated world before anything happens in it: tenants, organizations in Omni, OmniInstances
// that share keys, and OmniConnections that contend for the same connections.
#pragma once

#include "coverage.hpp"
#include "instance.hpp"
#include "kube_model.hpp"
#include "objects.hpp"
#include "omni_orgs.hpp"
#include "push_oracle.hpp"
#include "secret_book.hpp"
#include "tenants.hpp"
#include "truth.hpp"

#include <memory>
#include <string>
#include <vector>

namespace oco::sim {

class World {
  public:
    World(test::SimRuntime& time, Network& network, std::uint64_t seed, PushOracle& oracle);
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World() = default;

    test::SimRuntime& time;

  private:
    PushOracle& oracle_;

  public:
    KubeModel kube;
    Truth truth;
    Organizations orgs;
    Tenants tenants;
    SecretBook secrets;
    Dice dice;
    std::vector<std::unique_ptr<ManagedInstance>> instances;
    // At their numbers; also those that are gone.
    std::vector<ManagedObject> objects;

    // --- objects
    // Null: none is there.
    ManagedObject* any_object();
    // One more, that names a connection of this instance's organization. Null: there are enough.
    ManagedObject* add_object(std::size_t instance, const std::string& connection_id);
    // One more, that contends for what another names.
    ManagedObject* add_contender();
    void apply(ManagedObject& object);
    void remove(ManagedObject& object);
    // Deletes an object for good, if others are left.
    void retire_one();
    void terminate_a_rival(Coverage& coverage);
    // Unless it was retired meanwhile.
    void make_again(int number);

    [[nodiscard]] Organization& org_of(const ManagedObject& object) {
        return instances[object.instance]->org();
    }

    [[nodiscard]] const ManagedObject* object_named(const Name& key) const;

    // --- instances
    ManagedInstance& any_instance() { return *instances[dice.index(instances.size())]; }

    // The first that has this key there; null: none.
    ManagedInstance* instance_with(const std::string& host, const std::string& token);
    // Everybody's Secret with this key is written again.
    void write_key_secrets(std::size_t org, std::size_t key);

    // --- changes that come and go
    // Soon, or in a while: `undo` is called, before the end of all changes.
    void later(std::function<void()> undo);
    rt::TimePoint quiet_at{}; // that end
    // What was only for a while is undone, most of it: suspensions, refused keys.
    void calm_down(Coverage& coverage);

    // --- why something may be sent again
    // The object, and all that contend with it, may have lost and regained their claims.
    void excuse(const ManagedObject& object);
    void excuse_users_of(const ManagedInstance& instance);
    void excuse_all();

    // --- what the token file of a replica holds
    [[nodiscard]] const std::string& kube_token() const { return kube_token_; }

    void rotate_kube_token();

    // New values for what nobody may send any more.
    void rotate_retired();

  private:
    void add_instances(std::uint64_t seed);
    void add_objects();
    std::size_t choose_instance(const std::string& ns, std::optional<std::size_t> org);
    [[nodiscard]] std::set<Target> targets(const ManagedObject& object);

    std::string kube_token_;
};

} // namespace oco::sim
