// The simulated world before anything happens in it, and what its users do to it.
#pragma once

#include "instance.hpp"
#include "kube_model.hpp"
#include "omni_model.hpp"
#include "push_oracle.hpp"

#include <string>
#include <vector>

namespace oco::sim {

// An OmniConnection as its users see it.
struct ManagedObject {
    std::string ns;
    std::string name;
    std::string connection_id;
    std::string connection_name; // how it names the connection, or empty: by id
    std::string secret;          // empty: manages no credential
    bj::object spec;
};

class World {
  public:
    World(test::SimRuntime& time, Network& network, std::uint64_t seed, PushOracle& oracle);

    KubeModel kube;
    OmniModel omni;

    // One change by a user, and what it was.
    std::string act();
    // What was only for a while is undone: suspensions, revoked keys.
    void calm_down();

    [[nodiscard]] const std::vector<ManagedObject>& objects() const { return objects_; }

    [[nodiscard]] const std::map<std::string, std::string>& secrets() const { return values_; }

    // What the token file of a replica holds.
    [[nodiscard]] std::string kube_token() const { return kube_token_; }

    void rotate_kube_token();
    // Deletes an object for good, if others are left.
    void retire_one();
    // The Secret that holds this value gets back the one before, or a new one.
    void turn_back(const std::string& value);
    void turn_over(const std::string& value);
    // New values for what nobody may send any more.
    void rotate_retired();

    std::uint64_t rotations = 0;

  private:
    static emulator::Seed make_content(std::uint64_t seed);

    void create_secret(const std::string& secret);
    void create(const ManagedObject& object);
    void rotate(const std::string& secret);
    void write_secret(const std::string& secret, const std::string& value);
    void annotate(const ManagedObject& object, const std::string& name);
    void excuse_users_of(const std::string& secret);
    std::string change_role(ManagedObject& object);
    std::string change_attribute(ManagedObject& object);
    std::string edit_status(const ManagedObject& object);
    std::string recreate(const ManagedObject& object);
    void apply_spec(const ManagedObject& object);
    // Its beginning, "confidential-", must never be seen anywhere.
    std::string new_value(std::string_view what);

    test::SimRuntime& time_;
    PushOracle& oracle_;
    Dice dice_;

  public:
    ManagedInstance instance;

  private:
    std::vector<ManagedObject> objects_;
    std::vector<ManagedObject> retired_;
    std::map<std::string, std::string> values_;   // by Secret, "namespace/name"
    std::map<std::string, std::string> previous_; // the same, before the last change
    std::string kube_token_;
    std::uint64_t made_ = 0;
    int notes_ = 0;
};

} // namespace oco::sim
